"""A recording's samples, as one array or piece by piece with flat memory."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import soundfile

from voicecard.errors import FormatError, LibraryError
from voicecard.firmware.wire.block import CODEC_IMA_ADPCM, CODEC_STATE_BYTES
from voicecard.library import adpcm
from voicecard.library.recording import Recording, Sound

Samples = npt.NDArray[np.int16]
Silence = Literal["keep", "trim"]

_BLOCKS_AT_ONCE = 2048
_ZEROS_AT_ONCE = 1 << 20
_STORED_AT_ONCE = 1 << 18


@dataclass(frozen=True, slots=True)
class KeptSound:
    """Unbroken sound as (start, mono samples), in order, to be gone through once; `kept_samples` is all of it."""

    stretches: Iterator[tuple[int, Samples]]
    sample_rate: int
    kept_samples: int


def of_recording(recording: Recording) -> KeptSound:
    return KeptSound(kept(recording), recording.sample_rate, recording.kept_samples)


def of_file(audio: Path) -> KeptSound:
    """Of a sound file that the library has made. Raises LibraryError if it cannot be read."""
    try:
        about = soundfile.info(audio)
    except soundfile.SoundFileError as error:
        raise _unreadable(audio, error) from error
    return KeptSound(
        zip(itertools.count(0, _STORED_AT_ONCE), stored(audio), strict=False), about.samplerate, about.frames
    )


def sound_samples(recording: Recording, silence: Silence) -> int:
    """How many samples `chunks` yields in all."""
    return recording.length_samples if silence == "keep" else recording.kept_samples


def samples(recording: Recording, silence: Silence = "keep") -> Samples:
    """All samples as int16. `keep`: the true time line, zeros where no sound was kept; `trim`: only kept sound.

    Raises FormatError for a codec that this version does not know."""
    whole = np.empty(sound_samples(recording, silence), np.int16)
    at = 0
    for chunk in chunks(recording, silence):
        whole[at : at + len(chunk)] = chunk
        at += len(chunk)
    return whole


def chunks(recording: Recording, silence: Silence = "keep") -> Iterator[Samples]:
    """The same in pieces of at most a million samples or so, one after the other."""
    if recording.codec != CODEC_IMA_ADPCM:
        name = f"{recording.card}-{recording.number}"
        raise FormatError(f"{name} uses codec {recording.codec}, which is unknown here; update voicecard")
    reached = 0
    for start, piece in kept(recording):
        if silence == "keep":
            yield from _zeros(start - reached)
        yield piece
        reached = start + len(piece)
    if silence == "keep":
        yield from _zeros(recording.length_samples - reached)


def kept(recording: Recording) -> Iterator[tuple[int, Samples]]:
    """Unbroken kept sound with its start, in order; a long stretch comes in several pieces."""
    sound = recording.sound
    data = np.frombuffer(recording.data, np.uint8)
    for first in range(0, len(sound.start), _BLOCKS_AT_ONCE):
        rows = slice(first, first + _BLOCKS_AT_ONCE)
        flat = _decode(data, sound, rows)
        start, count = sound.start[rows], sound.samples[rows]
        breaks = np.flatnonzero(start[1:] != (start + count)[:-1]) + 1
        pieces = np.split(flat, np.cumsum(count)[breaks - 1])
        yield from zip(start[np.concatenate(([0], breaks))].tolist(), pieces, strict=True)


def stored(audio: Path) -> Iterator[Samples]:
    """The pieces of such a file, all but the last equally long."""
    try:
        with soundfile.SoundFile(audio) as sound:
            yield from sound.blocks(_STORED_AT_ONCE, dtype="int16")
    except soundfile.SoundFileError as error:
        raise _unreadable(audio, error) from error


def _unreadable(audio: Path, error: Exception) -> LibraryError:
    return LibraryError(f"{audio} cannot be read ({error}): import its original again")


def _decode(data: npt.NDArray[np.uint8], sound: Sound, rows: slice) -> Samples:
    """The used samples of some blocks, one behind the other."""
    at = sound.payload_at[rows, np.newaxis]
    width = int(sound.payload_bytes[rows].max())
    # A block shorter than the widest reads on into what follows; its `samples` end before that.
    payload = data[np.minimum(at + np.arange(width), len(data) - 1)]
    predictors = np.ascontiguousarray(payload[:, :2]).view("<i2").ravel()
    decoded = adpcm.decode(predictors, payload[:, 2], payload[:, CODEC_STATE_BYTES:])
    position = np.arange(decoded.shape[1])
    skip = sound.skip[rows, np.newaxis]
    return decoded[(position >= skip) & (position < skip + sound.samples[rows, np.newaxis])]


def _zeros(count: int) -> Iterator[Samples]:
    for at in range(0, count, _ZEROS_AT_ONCE):
        yield np.zeros(min(_ZEROS_AT_ONCE, count - at), np.int16)
