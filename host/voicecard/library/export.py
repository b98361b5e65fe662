"""Write a recording's sound as WAV or FLAC, 16 bit, or as IMA ADPCM in a WAV, piece by piece with flat memory.

`wav-adpcm` is encoded anew from the decoded samples by libsndfile: a WAV's block holds 8 n + 1 samples and begins with one of
them as it is, the card's holds 480 and begins with what came before them, so the one cannot be made of the other's bytes.
Silence fills its last block up to 1017 samples (64 ms), because a WAV's readers take whole blocks."""

from __future__ import annotations

import os
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import soundfile

from voicecard.errors import LibraryError, UsageError
from voicecard.library.files import disk_errors, replacing, write_all
from voicecard.library.sound import Silence, chunks, sound_samples

if TYPE_CHECKING:
    from voicecard.library.entry import Entry
    from voicecard.library.recording import Recording

Format = Literal["wav", "flac", "wav-adpcm"]

_CONTAINERS: dict[Format, tuple[str, str]] = {
    "wav": ("WAV", "PCM_16"),
    "flac": ("FLAC", "PCM_16"),
    "wav-adpcm": ("WAV", "IMA_ADPCM"),
}


def export(entry: Entry, format: Format, silence: Silence, output: Path, overwrite: bool = False) -> None:
    """Write `entry` to `output`, which appears whole or not at all.

    Raises UsageError for what cannot be meant, FormatError for an unreadable recording, LibraryError if there is no
    sound or the disk refuses."""
    if format not in get_args(Format) or silence not in get_args(Silence):
        raise UsageError(
            f"{format!r} with silence {silence!r} cannot be exported; choose wav, flac or wav-adpcm, keep or trim."
        )
    if output.is_dir():
        raise UsageError(f"{output} is a folder; give the name of a file.")
    if output.exists() and not overwrite:
        raise UsageError(f"{output} exists already; give another name.")
    if not output.parent.is_dir():
        raise UsageError(f"the folder {output.parent} does not exist; make it first.")
    write_audio(entry.recording(), format, silence, output)


def write_audio(recording: Recording, format: Format, silence: Silence, output: Path) -> None:
    """Like `export`, of a recording, over whatever `output` was."""
    if not sound_samples(recording, silence):
        raise LibraryError(f"{recording.card}-{recording.number} has no sound to write.")
    container, encoding = _CONTAINERS[format]
    with disk_errors(output), replacing(output) as file:
        sink = _Sink(file)
        try:
            with soundfile.SoundFile(sink, "w", recording.sample_rate, 1, encoding, format=container) as sound:
                for chunk in chunks(recording, silence):
                    sound.write(chunk)
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
