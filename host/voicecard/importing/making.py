"""What is made of an accepted file: its sound, what is known of it, and a recording of the library."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, BinaryIO

import numpy as np
import soxr

from voicecard.errors import UsageError
from voicecard.importing.accept import Pending
from voicecard.importing.dates import date_of
from voicecard.library import export
from voicecard.library.archive import Library
from voicecard.library.details import AUDIO, DETAILS, FILES, VERSION, local
from voicecard.library.edits import titled
from voicecard.library.entry import Entry
from voicecard.library.files import disk_errors, file_digest, sync_directory, write_json
from voicecard.library.incoming import STAGED
from voicecard.library.sound import Samples
from voicecard.library.texts import write_texts
from voicecard.transcribe.decode import Sound

RATE = 16_000
FRAME_SAMPLES = 480  # 30 ms, as the card judges speech
VAD_MODE = 1

Progress = Callable[[float, float], None]


def write_sound(pending: Pending, on_progress: Progress = lambda done_s, total_s: None) -> Heard:
    """Write the sound beside the original; `on_progress` gets seconds of it.

    Raises UsageError for what is no sound that can be read, LibraryError."""
    with disk_errors(pending.folder), pending.original.open("rb") as file:
        heard = Heard(file, on_progress)
        export.write_sound(heard.pieces(), RATE, "flac", pending.folder / AUDIO)
    return heard


def file_recording(library: Library, pending: Pending, heard: Heard) -> Entry:
    """Make it a recording of the library. Raises LibraryError; it is pending until it is filed."""
    with library.writing(), disk_errors(pending.folder):
        content = _describe(library, pending, heard)
        write_json(pending.folder / DETAILS, content)
        write_texts(pending.folder, content, titled(pending.path.stem))
        staged = pending.folder.rename(library.incoming / f"{pending.key}{STAGED}")
        sync_directory(library.incoming)
        return library.file(staged)


def _describe(library: Library, pending: Pending, heard: Heard) -> dict[str, Any]:
    """The content of recording.json."""
    length_s = round(heard.samples / RATE, 3)
    dated = date_of(pending.original, length_s, pending.recorded_at)
    nothing = ("silence_skipped_s", "paused_s", "withheld_s", "other_gaps_s", "lost_s", "unknown_s")
    return {
        "version": VERSION,
        "id": library.id_for(pending.identity),
        **pending.identity._asdict(),
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
        "notes": [f"imported from {pending.path.name}"],
        "salvaged": False,
        "settings": {},
        "sha256": file_digest(pending.original),
        "bytes": pending.original.stat().st_size,
        "files": {**FILES, "original": pending.original.name},
    }


class Heard:
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
            self._on_progress(self.samples / RATE, self._sound.length_s)
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
