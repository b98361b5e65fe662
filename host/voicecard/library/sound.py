"""A recording's samples, as one array or piece by piece with flat memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
import numpy.typing as npt

from voicecard.errors import FormatError
from voicecard.firmware.wire.block import CODEC_IMA_ADPCM, CODEC_STATE_BYTES
from voicecard.library import adpcm
from voicecard.library.recording import Recording, Sound

Samples = npt.NDArray[np.int16]
Silence = Literal["keep", "trim"]

_BLOCKS_AT_ONCE = 2048
_ZEROS_AT_ONCE = 1 << 20


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
