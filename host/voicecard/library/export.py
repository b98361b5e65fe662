"""Write a recording for other programs: its sound, piece by piece with flat memory, or what is written of it.

`wav-adpcm` is encoded anew from the decoded samples by libsndfile: a WAV's block holds 8 n + 1 samples and begins with one of
them as it is, the card's holds 480 and begins with what came before them, so the one cannot be made of the other's bytes.
Silence fills its last block up to 1017 samples (64 ms), because a WAV's readers take whole blocks."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import soundfile

from voicecard.errors import LibraryError, UsageError
from voicecard.library.details import IMPORTED, PAGE
from voicecard.library.files import disk_errors, replacing, write_all, write_whole
from voicecard.library.rendering import passages
from voicecard.library.sound import Samples, Silence, chunks, sound_samples, stored
from voicecard.library.texts import read_transcript
from voicecard.subtitles import srt, vtt

if TYPE_CHECKING:
    from voicecard.library.entry import Entry
    from voicecard.library.recording import Recording

Format = Literal["wav", "flac", "wav-adpcm", "opus", "ogg", "md", "txt", "srt", "vtt", "json"]

_CONTAINERS: dict[str, tuple[str, str]] = {
    "wav": ("WAV", "PCM_16"),
    "flac": ("FLAC", "PCM_16"),
    "wav-adpcm": ("WAV", "IMA_ADPCM"),
    "opus": ("OGG", "OPUS"),
    "ogg": ("OGG", "VORBIS"),
}
_ENDINGS = {"wav-adpcm": "wav"}
_MOST_NAME_BYTES = 200  # file systems take 255
_HEADING = re.compile(r"^# .*\n", re.MULTILINE)


def file_name(entry: Entry, format: str) -> str:
    """A name that every system takes, and that is one: of the date, and the title or else the id."""
    from pathvalidate import sanitize_filename

    date = f"{entry.started:%Y-%m-%d %H.%M} " if entry.started else ""
    printable = "".join(letter if letter.isprintable() else " " for letter in entry.title or "")
    about = str(sanitize_filename(printable, platform="universal")).lstrip(".").strip()
    short = about.encode("utf-8", "ignore")[:_MOST_NAME_BYTES].decode("utf-8", "ignore")
    name = f"{date}{short.rstrip(' .') or entry.id}"
    return f"{name}.{_ENDINGS.get(format, format)}"


def export(entry: Entry, format: Format, silence: Silence, output: Path, overwrite: bool = False) -> None:
    """Write `entry` to `output`, which appears whole or not at all.

    Raises UsageError for what cannot be meant, FormatError for an unreadable recording, LibraryError if there is no
    sound, or no transcript, or the disk refuses."""
    if format not in get_args(Format) or silence not in get_args(Silence):
        raise UsageError(
            f"{format!r} with silence {silence!r} cannot be exported: choose {', '.join(get_args(Format))}, keep or trim"
        )
    _check(output, overwrite)
    if format not in _CONTAINERS:
        with disk_errors(output):
            write_whole(output, _text(entry, format).encode("utf-8", "surrogateescape"))
    elif entry.card == IMPORTED:
        write_sound(stored(entry.audio), soundfile.info(entry.audio).samplerate, format, output)
    else:
        write_audio(entry.recording(), format, silence, output)


def export_note(entry: Entry, vault: Path, overwrite: bool = False) -> Path:
    """Write the recording's page and its sound, which the page shows, into a folder of Obsidian; returns the note's path.

    Raises as `export` does."""
    note, sound = vault / file_name(entry, "md"), vault / file_name(entry, "flac")
    for path in (note, sound):
        _check(path, overwrite)
    page = _text(entry, "md")
    shown = f"![[{sound.name}]]\n"
    heading = _HEADING.search(page)
    at = heading.end() if heading else len(page)
    export(entry, "flac", "keep", sound, overwrite)
    with disk_errors(note):
        write_whole(note, f"{page[:at]}\n{shown}{page[at:]}".encode("utf-8", "surrogateescape"))
    return note


def _check(output: Path, overwrite: bool) -> None:
    if output.is_dir():
        raise UsageError(f"{output} is a folder: give the name of a file")
    if output.exists() and not overwrite:
        raise UsageError(f"{output} exists already: give another name, or add --overwrite")
    if not output.parent.is_dir():
        raise UsageError(f"the folder {output.parent} does not exist: make it first")


def _text(entry: Entry, format: str) -> str:
    """What is written of a recording, as its own files have it. Raises LibraryError if it has no transcript."""
    if format == "md":
        with disk_errors(entry.folder):
            return (entry.folder / PAGE).read_bytes().decode("utf-8", "surrogateescape")
    transcript = read_transcript(entry.folder)
    if transcript is None:
        raise LibraryError(f"{entry.id} has no transcript: `voicecard transcribe {entry.id}` makes one")
    if format == "json":
        page = {"title": entry.title, "tags": list(entry.tags), "speakers": entry.speakers()}
        return (
            json.dumps({**entry.details(), **page, "transcript": transcript.to_json()}, indent=2, ensure_ascii=False)
            + "\n"
        )
    said = list(passages(transcript, entry.speakers()))
    if format == "txt":
        return "".join(
            f"{segment.speaker}: {segment.text}\n" if segment.speaker else f"{segment.text}\n" for segment in said
        )
    return srt(said) if format == "srt" else vtt(said)


def write_audio(recording: Recording, format: str, silence: Silence, output: Path) -> None:
    """Like `export`, of a recording, over whatever `output` was."""
    if not sound_samples(recording, silence):
        raise LibraryError(f"{recording.card}-{recording.number} has no sound to write")
    write_sound(chunks(recording, silence), recording.sample_rate, format, output)


def write_sound(pieces: Iterable[Samples], sample_rate: int, format: str, output: Path) -> None:
    """Write mono pieces, over whatever `output` was; it appears whole or not at all. Raises LibraryError if the disk refuses."""
    container, encoding = _CONTAINERS[format]
    with disk_errors(output), replacing(output) as file:
        sink = _Sink(file)
        try:
            with soundfile.SoundFile(sink, "w", sample_rate, 1, encoding, format=container) as sound:
                for piece in pieces:
                    sound.write(piece)
                    if sink.error:
                        break
        except (soundfile.SoundFileError, AssertionError):
            if not sink.error:
                raise
        if sink.error:
            raise sink.error


class _Sink:
    """Between libsndfile and a file: keeps the first failure, which libsndfile would not pass on."""

    def __init__(self, file: FileIO) -> None:
        self._file = file
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        try:
            write_all(self._file, data)
        except OSError as error:
            self.error = self.error or error
            return 0
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()
