"""Cut kept sound into pieces that a backend can take, and put the times back on the true time line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from voicecard.errors import TranscribeError, VoicecardError
from voicecard.transcribe.backend import Backend
from voicecard.transcribe.model import Segment, Transcript, clock

Samples = NDArray[np.int16]
Stretch = tuple[int, Samples]
Progress = Callable[[float, float], None]

JOIN_S = 0.5
MAX_PIECE_S = 30.0
_SEARCH_S = 10.0
_LEVEL_FRAME_S = 0.02
_LEVEL_FRAMES = 10


def transcribe_stretches(
    backend: Backend,
    stretches: Iterable[Stretch],
    sample_rate: int,
    on_progress: Progress | None = None,
    *,
    total_samples: int | None = None,
) -> Transcript:
    """Transcribe kept stretches, each (position of its first sample on the true time line, mono samples), in order.

    The stretches are streamed: memory holds one piece and the stretch being read. `on_progress(done_s, total_s)` counts
    kept sound; `total_samples` is all of it, without which the total is what has been read so far.
    Raises TranscribeError if the backend cannot be used or fails."""
    if (lack := backend.missing()) is not None:
        raise TranscribeError(lack)
    segments: list[Segment] = []
    done_samples = 0
    for start, samples in cut(stretches, sample_rate):
        segments += _transcribe_piece(backend, start, samples, sample_rate)
        done_samples += len(samples)
        if on_progress:
            on_progress(done_samples / sample_rate, max(done_samples, total_samples or 0) / sample_rate)
    return Transcript(backend.name, backend.model, backend.language, tuple(segments))


def cut(stretches: Iterable[Stretch], sample_rate: int, max_piece_s: float = MAX_PIECE_S) -> Iterator[Stretch]:
    """Yield pieces of at most `max_piece_s`, in order.

    Stretches less than 0.5 s apart are joined, with silence between; what is too long is cut where it is quietest."""
    join_samples = round(JOIN_S * sample_rate)
    piece_start, piece = 0, np.zeros(0, np.int16)
    for start, samples in stretches:
        gap = start - (piece_start + len(piece))
        if len(piece) and gap < 0:
            raise ValueError(f"stretch at sample {start} begins before the one before it ends")
        if len(piece) and gap < join_samples:
            piece = np.concatenate([piece, np.zeros(gap, np.int16), samples])
        else:
            if len(piece):
                yield piece_start, piece
            piece_start, piece = start, samples
        while len(piece) > max_piece_s * sample_rate:
            end = _quietest(piece, sample_rate, max_piece_s)
            yield piece_start, piece[:end]
            piece_start, piece = piece_start + end, piece[end:]
    if len(piece):
        yield piece_start, piece


def _quietest(piece: Samples, sample_rate: int, max_piece_s: float) -> int:
    """Return the middle of the quietest 200 ms in the last third, at most 10 s, before the limit."""
    limit = int(max_piece_s * sample_rate)
    frame = max(1, round(_LEVEL_FRAME_S * sample_rate))
    frames = max(_LEVEL_FRAMES, int(min(_SEARCH_S, max_piece_s / 3) * sample_rate) // frame)
    first = max(0, limit - frames * frame)
    window = piece[first:limit].astype(np.float64)
    energy = np.square(window[: len(window) // frame * frame]).reshape(-1, frame).mean(axis=1)
    level = np.convolve(energy, np.ones(_LEVEL_FRAMES), "valid")
    return first + (int(level.argmin()) + _LEVEL_FRAMES // 2) * frame


def _transcribe_piece(backend: Backend, start: int, samples: Samples, sample_rate: int) -> list[Segment]:
    start_s, length_s = start / sample_rate, len(samples) / sample_rate
    try:
        segments = backend.transcribe(samples, sample_rate)
    except VoicecardError:
        raise
    except Exception as error:
        raise TranscribeError(
            f"the transcription backend {backend.name} failed at {clock(start_s)} ({type(error).__name__}: {error}): "
            "try again, or choose another backend"
        ) from error
    return [_shift(segment, start_s, length_s) for segment in sorted(segments, key=lambda segment: segment.start_s)]


def _shift(segment: Segment, start_s: float, length_s: float) -> Segment:
    """Move a segment to the true time line; a backend's times beyond its piece are brought back into it."""

    def true(time_s: float) -> float:
        return round(start_s + min(max(time_s, 0.0), length_s), 3)

    words = tuple(replace(word, start_s=true(word.start_s), end_s=true(word.end_s)) for word in segment.words)
    return replace(segment, start_s=true(segment.start_s), end_s=true(segment.end_s), words=words)
