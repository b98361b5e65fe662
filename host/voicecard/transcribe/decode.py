"""Uploaded sound, whatever its container, as mono pieces with flat memory."""

from __future__ import annotations

import math
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np
import soundfile
from numpy.typing import NDArray

from voicecard.errors import UsageError

Samples = NDArray[np.int16]

MAX_SOUND_S = 12 * 3600
SAMPLE_RATES = range(4_000, 192_001)
MAX_CHANNELS = 8
_BLOCK_S = 10
_AV_RATE = 16_000


class Readable(Protocol):
    """What is read of a binary file."""

    def read(self, size: int = -1, /) -> bytes: ...
    def seek(self, offset: int, whence: int = 0, /) -> int: ...
    def tell(self) -> int: ...


class Sound:
    """An open file of sound: `sample_rate`, `stretches()` as the transcription takes them, and `length_s` as the container tells
    it: infinite if it does not.

    libsndfile reads WAV, FLAC, Ogg (Vorbis, Opus) and MP3; ffmpeg's libraries, if the package av is there, M4A and WebM.
    Both read from the file alone, never from what it may point to. Raises UsageError for anything else."""

    def __init__(self, file: Readable) -> None:
        self.seconds = 0.0
        container = _container(file)
        try:
            if container:
                self.length_s, self.sample_rate, self._blocks = math.inf, _AV_RATE, _by_av(file, container)
            else:
                self.length_s, self.sample_rate, self._blocks = _by_soundfile(file)
        except soundfile.SoundFileError as error:
            raise UsageError("the file is no sound that can be read: WAV, FLAC, Ogg, MP3 and M4A can") from error

    def stretches(self) -> Iterator[tuple[int, Samples]]:
        """Positions and mono samples, in order; `seconds` counts what has been read. Raises UsageError for damaged sound."""
        position = 0
        for block in self._blocks:
            yield position, block
            position += len(block)
            self.seconds = position / self.sample_rate
            if self.seconds > MAX_SOUND_S:
                raise UsageError(f"the file has more than {MAX_SOUND_S // 3600} hours of sound: send it in parts")


def _container(file: Readable) -> str:
    """ffmpeg's name of a container that libsndfile does not read."""
    start = file.read(12)
    file.seek(0)
    if start[4:8] == b"ftyp":
        return "mov"
    return "matroska" if start[:4] == b"\x1a\x45\xdf\xa3" else ""


def _by_soundfile(file: Readable) -> tuple[float, int, Iterator[Samples]]:
    sound = soundfile.SoundFile(file)
    if sound.samplerate not in SAMPLE_RATES or sound.channels > MAX_CHANNELS:
        raise UsageError(f"{sound.channels} channels at {sound.samplerate} Hz are no sound that can be transcribed")

    def blocks() -> Iterator[Samples]:
        try:
            for block in sound.blocks(_BLOCK_S * sound.samplerate, dtype="int16", always_2d=True):
                yield block.mean(axis=1).astype(np.int16)
        except soundfile.SoundFileError as error:
            raise UsageError(f"the sound is damaged ({error})") from error

    return sound.frames / sound.samplerate, sound.samplerate, blocks()


def _by_av(file: Readable, container: str) -> Iterator[Samples]:
    if find_spec("av") is None:
        raise UsageError("M4A and WebM need ffmpeg here (`pip install av` brings it): send WAV, FLAC, Ogg or MP3")
    import av

    def frames() -> Iterator[Any]:
        with av.open(file, mode="r", format=container) as source:
            if not source.streams.audio:
                raise UsageError("the file has no sound")
            resampler = av.AudioResampler("s16", "mono", _AV_RATE)
            for frame in source.decode(audio=0):
                yield from resampler.resample(frame)
            yield from resampler.resample(None)

    try:
        for frame in frames():
            yield frame.to_ndarray()[0]
    except av.FFmpegError as error:
        raise UsageError(f"the sound is damaged ({error.strerror})") from error
