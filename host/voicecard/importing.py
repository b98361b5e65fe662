"""Files of other recorders become recordings of the library: the original as it is, its sound, and when it was made."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import soxr

from voicecard.errors import LibraryError, UsageError
from voicecard.library.archive import Library
from voicecard.library.details import AUDIO, DETAILS, FILES, IMPORTED, VERSION, Identity, local
from voicecard.library.entry import Entry
from voicecard.library.export import write_sound
from voicecard.library.files import disk_errors, file_digest, sync_directory, write_json
from voicecard.library.incoming import STAGED
from voicecard.library.sound import Samples
from voicecard.transcribe.decode import Sound

RATE = 16_000
FRAME_SAMPLES = 480  # 30 ms, as the card judges speech
VAD_MODE = 1
_BEGUN = ".import"
_EXTENSION = re.compile(r"\.[a-z0-9]{1,8}")
_EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)  # recorders without a clock write 1904, 1970 or 1980
_BEXT_DATE_AT, _BEXT_END = 320, 338  # EBU Tech 3285: OriginationDate yyyy-mm-dd, OriginationTime hh:mm:ss

Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Dated:
    """When a recording began, how that is known, and how exactly: None if nobody can tell."""

    started: datetime
    how: str
    uncertainty_ms: int | None


@dataclass(frozen=True, slots=True)
class Imported:
    entry: Entry
    is_new: bool


def import_file(
    library: Library, path: Path, recorded_at: datetime | None = None, on_progress: Progress = lambda seconds: None
) -> Imported:
    """Take a sound file in, unless the library has it; `on_progress` gets the seconds of sound that are done.

    It is a copy: the file stays where it is. Raises UsageError for what is no sound that can be read, LibraryError."""
    with library.writing(), disk_errors(path):
        for left_over in library.incoming.glob(f"*{_BEGUN}"):
            shutil.rmtree(left_over, ignore_errors=True)
        if not path.is_file():
            raise UsageError("there is no such file")
        sha256 = file_digest(path)
        if known := library.imported(sha256):
            return Imported(known, False)
        identity = Identity(IMPORTED, library.free_number(), sha256[:16])
        folder = library.incoming / f"{identity.key}{_BEGUN}"
        folder.mkdir()
        original = folder / f"original{_extension(path)}"
        shutil.copyfile(path, original)
        if file_digest(original) != sha256:
            raise LibraryError("the file changes while it is read: import it when it is finished")
        content = _describe(library, identity, original, path, recorded_at, on_progress)
        write_json(folder / DETAILS, content)
        staged = folder.rename(library.incoming / f"{identity.key}{STAGED}")
        sync_directory(library.incoming)
        entry = library.file(staged)
        return Imported(library.set_title(entry, path.stem), True)


def _extension(path: Path) -> str:
    found = path.suffix.lower()
    return found if _EXTENSION.fullmatch(found) else ".bin"


def _describe(
    library: Library,
    identity: Identity,
    original: Path,
    path: Path,
    recorded_at: datetime | None,
    on_progress: Progress,
) -> dict[str, Any]:
    """Write the sound beside the original; returns the content of recording.json."""
    with original.open("rb") as file:
        heard = _Heard(file, on_progress)
        write_sound(heard.pieces(), RATE, "flac", original.with_name(AUDIO))
    length_s = round(heard.samples / RATE, 3)
    dated = date_of(path, length_s, recorded_at)
    nothing = ("silence_skipped_s", "paused_s", "withheld_s", "other_gaps_s", "lost_s", "unknown_s")
    return {
        "version": VERSION,
        "id": library.id_for(identity),
        **identity._asdict(),
        **dict.fromkeys(("boot", "ticks_us", "firmware", "not_before", "not_after")),
        "kind": "recording",
        "started": local(dated.started).isoformat(timespec="milliseconds"),
        "started_how": dated.how,
        "uncertainty_ms": dated.uncertainty_ms,
        "received": datetime.now().astimezone().isoformat(timespec="seconds"),
        "length_s": length_s,
        "kept_s": length_s,
        **dict.fromkeys(nothing, 0.0),
        "speech_s": round(heard.speech_samples / RATE, 3),
        "marks": [],
        "events": [],
        "end_reason": None,
        "notes": [f"imported from {path.name}"],
        "salvaged": False,
        "settings": {},
        "sha256": file_digest(original),
        "bytes": original.stat().st_size,
        "files": {**FILES, "original": original.name},
    }


class _Heard:
    """A file's sound, mono at 16 kHz; counts samples and those of speech as they go by."""

    def __init__(self, file: BinaryIO, on_progress: Progress) -> None:
        import webrtcvad

        self.samples = 0
        self.speech_samples = 0
        self._sound = Sound(file)
        self._on_progress = on_progress
        self._vad = webrtcvad.Vad(VAD_MODE)
        self._rest = np.zeros(0, np.int16)

    def pieces(self) -> Iterator[Samples]:
        for piece in self._resampled():
            self.samples += len(piece)
            self._judge(piece)
            self._on_progress(self.samples / RATE)
            yield piece
        if not self.samples:
            raise UsageError("the file has no sound")

    def _resampled(self) -> Iterator[Samples]:
        blocks = (block for _, block in self._sound.stretches())
        if self._sound.sample_rate == RATE:
            yield from blocks
            return
        stream = soxr.ResampleStream(self._sound.sample_rate, RATE, 1, dtype="int16")
        for block in blocks:
            yield stream.resample_chunk(block)
        yield stream.resample_chunk(np.zeros(0, np.int16), last=True)

    def _judge(self, piece: Samples) -> None:
        """By the detector that the card has, frame by frame."""
        whole = np.concatenate([self._rest, piece])
        frames = len(whole) // FRAME_SAMPLES
        for frame in whole[: frames * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES):
            self.speech_samples += FRAME_SAMPLES * self._vad.is_speech(frame.tobytes(), RATE)
        self._rest = whole[frames * FRAME_SAMPLES :]


def date_of(path: Path, length_s: float, recorded_at: datetime | None = None) -> Dated:
    """When it began: as somebody says, as the file says, or as long before the file was last written as it is long."""
    if recorded_at is not None:
        return Dated(recorded_at, "said at import", None)
    for found in (_bext(path), _tagged(path)):
        if found and _EARLIEST <= found.astimezone(UTC) <= datetime.now(UTC) + timedelta(days=1):
            return Dated(found.astimezone(), "written in the file", 1000)
    ended = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return Dated(ended - timedelta(seconds=length_s), "date of the file", None)


def _bext(path: Path) -> datetime | None:
    """Of a Broadcast Wave file, in this computer's time zone: the format has none."""
    with path.open("rb") as file:
        start = file.read(12)
        if start[:4] != b"RIFF" or start[8:] != b"WAVE":
            return None
        while len(header := file.read(8)) == 8:
            size = int.from_bytes(header[4:], "little")
            if header[:4] == b"bext":
                text = file.read(min(size, _BEXT_END))[_BEXT_DATE_AT:]
                with suppress(ValueError):
                    return datetime.strptime(
                        re.sub(r"[^0-9]", "", text.decode("ascii", "replace")), "%Y%m%d%H%M%S"
                    ).astimezone()
                return None
            if header[:4] == b"data":
                return None
            file.seek(size + size % 2, 1)
    return None


def _tagged(path: Path) -> datetime | None:
    """By ffmpeg's libraries, if the package av is there: a time of day, not a day or a year alone."""
    try:
        import av
    except ImportError:
        return None
    with suppress(av.FFmpegError, OSError, ValueError), av.open(str(path), metadata_errors="ignore") as source:
        tags = {name.lower(): value for name, value in source.metadata.items()}
        for stream in source.streams.audio:
            tags |= {name.lower(): value for name, value in stream.metadata.items()}
        for name in ("creation_time", "date", "date_recorded", "tdrc"):
            with suppress(ValueError):
                if len(tags.get(name, "")) > len("2026-11-22"):
                    return datetime.fromisoformat(tags[name]).astimezone()
    return None
