"""What makes a folder a recording of the library: its details, its audio, and one place for all its files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from voicecard.errors import FormatError, LibraryError
from voicecard.library.details import AUDIO, DETAILS, ORIGINAL, Identity, checked_details, describe, ids_of
from voicecard.library.files import read_json, sync_directory, write_json


def details_of(folder: Path, id_for: Callable[[Identity], str]) -> dict[str, Any]:
    """The content of recording.json, made again from card.vcr if it is missing or damaged.

    Raises FormatError if that cannot be read either."""
    try:
        return checked_details(read_json(folder / DETAILS))
    except (OSError, ValueError):
        content = _describe_again(folder / ORIGINAL, id_for)
    write_json(folder / DETAILS, content)
    return content


def _describe_again(original: Path, id_for: Callable[[Identity], str]) -> dict[str, Any]:
    from voicecard.library.recording import read_recording

    recording = read_recording(original)
    identity = Identity(recording.card or "unknown", recording.number or 0, recording.nonce or "0" * 16)
    sha256 = hashlib.sha256(recording.data).hexdigest()
    own = original.parent.name.rpartition(" ")[2]
    id = own if own in ids_of(identity) else id_for(identity)
    return describe(recording, identity, id=id, sha256=sha256, started=None, how="unknown", uncertainty_ms=None)


def make_audio(folder: Path) -> None:
    """Write audio.flac if it can be: card.vcr is the recording, and must never wait for its copy."""
    try:
        # Where libsndfile is missing the import itself fails, with an OSError.
        from voicecard.library.export import write_audio
        from voicecard.library.recording import read_recording

        if not (folder / ORIGINAL).exists():
            return  # imported, with its sound
        write_audio(read_recording(folder / ORIGINAL), "flac", "keep", folder / AUDIO)
    except (FormatError, LibraryError, OSError):
        return


def place(staged: Path, folder: Path) -> None:
    """Move a staged folder to its place. Where that recording's folder is already, only its files are replaced."""
    for left_over in staged.glob(".*"):
        left_over.unlink()
    sync_directory(staged)
    if folder.exists():
        for name in (ORIGINAL, AUDIO, DETAILS):
            if (staged / name).exists():
                (staged / name).replace(folder / name)
        sync_directory(folder)
        staged.rmdir()
    else:
        folder.parent.mkdir(exist_ok=True)
        sync_directory(folder.parent.parent)
        staged.rename(folder)
    sync_directory(folder.parent)
    sync_directory(staged.parent)
