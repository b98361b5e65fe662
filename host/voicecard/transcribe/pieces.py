"""Cut kept sound into pieces that a backend can take, and put the times back on the true time line."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from voicecard.errors import BackendError, VoicecardError
from voicecard.transcribe.backend import Backend, Heard, Limits
from voicecard.transcribe.model import Segment, Transcript, clock
from voicecard.transcribe.parallel import in_order

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
    language: str = "",
) -> Transcript:
    """Transcribe kept stretches, each (position of its first sample on the true time line, mono samples), in order.

    The stretches are streamed: memory holds the pieces under way and the stretch being read. `on_progress(done_s, total_s)`
    counts kept sound; `total_samples` is all of it, without which the total is what has been read so far. `language`
    (ISO 639-1) is what the backend shall hear, empty if it shall find out, or follow its settings.
    Raises BackendError if the backend cannot be used or fails; no piece is begun after one has failed."""
    if (lack := backend.missing()) is not None:
        raise BackendError(lack)
    if language and backend.languages and language not in backend.languages:
        raise BackendError(
            f"{backend.name} hears {', '.join(backend.languages)}, not {language}: choose another backend or language"
        )
    heard: list[tuple[float, Heard]] = []
    done_samples = 0
    pieces = cut(stretches, sample_rate, _longest_s(backend.limits, sample_rate))

    def hear(piece: Stretch) -> tuple[int, Heard]:
        return len(piece[1]), _hear(backend, piece, sample_rate, language)

    for count, part in in_order(hear, pieces, backend.limits.parallel):
        heard.append((count / sample_rate, part))
        done_samples += count
        if on_progress:
            on_progress(done_samples / sample_rate, max(done_samples, total_samples or 0) / sample_rate)
    parts = [part for _, part in heard]
    if backend.limits.speakers_of_piece:
        parts = _told_apart(parts)
    segments = tuple(segment for part in parts for segment in part.segments)
    return Transcript(backend.name, backend.model, language or _main_language(heard) or backend.language, segments)


def _longest_s(limits: Limits, sample_rate: int) -> float:
    if limits.piece_bytes is None:
        return limits.piece_s
    return min(limits.piece_s, limits.piece_bytes / (2 * sample_rate))


def cut(stretches: Iterable[Stretch], sample_rate: int, max_piece_s: float = MAX_PIECE_S) -> Iterator[Stretch]:
    """Yield pieces of at most `max_piece_s`, in order.

    Stretches less than 0.5 s apart are joined, with silence between; what is too long is cut where it is quietest."""
    join_samples, max_samples = round(JOIN_S * sample_rate), max_piece_s * sample_rate
    piece_start, parts, length = 0, list[Samples](), 0
    for start, samples in stretches:
        gap = start - (piece_start + length)
        if length and gap < 0:
            raise ValueError(f"stretch at sample {start} begins before the one before it ends")
        if length and gap >= join_samples:
            yield piece_start, np.concatenate(parts)
            length = 0
        if not length:
            piece_start, parts, gap = start, [], 0
        parts += [np.zeros(gap, np.int16), samples]
        length += gap + len(samples)
        while length > max_samples:
            piece = np.concatenate(parts)
            end = _quietest(piece, sample_rate, max_piece_s)
            yield piece_start, piece[:end]
            piece_start, parts, length = piece_start + end, [piece[end:]], length - end
    if length:
        yield piece_start, np.concatenate(parts)


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


def _hear(backend: Backend, piece: Stretch, sample_rate: int, language: str) -> Heard:
    """What is said in a piece, on the true time line, in order."""
    start, samples = piece
    start_s, length_s = start / sample_rate, len(samples) / sample_rate
    try:
        heard = backend.transcribe(samples, sample_rate, language)
        segments = [_shift(segment, start_s, length_s) for segment in heard.segments]
    except VoicecardError:
        raise
    except Exception as error:
        raise BackendError(
            f"the transcription backend {backend.name} failed at {clock(start_s)} ({type(error).__name__}: {error}): "
            "try again, or choose another backend"
        ) from error
    return replace(heard, segments=tuple(sorted(segments, key=lambda segment: segment.start_s)))


def _shift(segment: Segment, start_s: float, length_s: float) -> Segment:
    """Move a segment to the true time line; a backend's times beyond its piece are brought back into it."""

    def true(time_s: float) -> float:
        if math.isnan(time_s):
            raise ValueError("a time that is no number")
        return round(start_s + min(max(time_s, 0.0), length_s), 3)

    words = tuple(replace(word, start_s=true(word.start_s), end_s=true(word.end_s)) for word in segment.words)
    return replace(segment, start_s=true(segment.start_s), end_s=true(segment.end_s), words=words)


def _told_apart(parts: list[Heard]) -> list[Heard]:
    """If several pieces have speakers, say with each label of which piece it is: the same label may be someone else."""
    with_speakers = [part for part in parts if any(segment.speaker for segment in part.segments)]
    if len(with_speakers) < 2:
        return parts
    numbers = {id(part): number for number, part in enumerate(with_speakers, 1)}

    def told(segment: Segment, number: int) -> Segment:
        return replace(segment, speaker=f"{segment.speaker} (part {number})") if segment.speaker else segment

    return [
        replace(part, segments=tuple(told(segment, numbers[id(part)]) for segment in part.segments))
        if id(part) in numbers
        else part
        for part in parts
    ]


def _main_language(heard: list[tuple[float, Heard]]) -> str:
    """The language in which most of the sound was heard."""
    seconds: dict[str, float] = {}
    for length_s, part in heard:
        if part.language and part.segments:
            seconds[part.language] = seconds.get(part.language, 0.0) + length_s
    return max(seconds, key=lambda language: seconds[language], default="")
