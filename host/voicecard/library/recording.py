"""Read a recording's file (`.vcr`) into its time line: sound, gaps, marks, events, and what is missing.

The bytes are described in firmware/FORMAT.md. The reader is tolerant: whatever a torn, shortened or damaged file still
says is used, and `Recording.notes` tells what could not be. Sound first, then gaps, then losses lay claim to the time
line, and what nobody claims is unknown, so that the four always add up to the length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from voicecard.errors import FormatError
from voicecard.firmware.wire.sector import SECTOR_BYTES
from voicecard.library.scan import Scan, scan
from voicecard.library.timeline import Span, claim, total

# A sector's number has 16 bits.
MAX_FILE_BYTES = 65536 * SECTOR_BYTES

IntArray = npt.NDArray[np.int64]

_MOST_OFFSET_MIN = 14 * 60


@dataclass(frozen=True, slots=True)
class Stretch:
    """Kept sound without a break; `blocks` are its rows in `Recording.sound`."""

    start_samples: int
    samples: int
    blocks: range


@dataclass(frozen=True, slots=True)
class Gap:
    """Time without kept sound. `reason` is silence, paused or withheld; levels are absolute sample values."""

    start_samples: int
    samples: int
    mean: int
    peak: int
    reason: str


@dataclass(frozen=True, slots=True)
class Event:
    """What the card noted: clock set, samples lost, battery, stalled, page rewritten. FORMAT.md explains the values."""

    at_samples: int
    event: str
    value: int
    wide: int


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """Audio blocks in the order of time, none overlapping: arrays with one row a block.

    Of a block's samples the first `skip` are not used (an earlier block has them), then come `samples` that are."""

    payload_at: IntArray
    payload_bytes: IntArray
    start: IntArray
    skip: IntArray
    samples: IntArray
    speech: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """One recording. Positions and lengths are samples of true time since its start. None: the file does not say."""

    card: str | None
    number: int | None
    nonce: str | None
    boot: int | None
    firmware: str | None
    kind: str
    start_ticks_us: int | None
    wall_ms: int | None
    wall_uncertainty_ms: int | None
    sample_rate: int
    frame_samples: int
    codec: int
    settings: dict[str, Any]
    length_samples: int
    stretches: tuple[Stretch, ...]
    gaps: tuple[Gap, ...]
    marks_samples: tuple[int, ...]
    events: tuple[Event, ...]
    lost_samples: int
    unknown_samples: int
    end_reason: str | None
    damaged_sectors: tuple[int, ...]
    notes: tuple[str, ...]
    sound: Sound
    data: bytes

    def __repr__(self) -> str:
        return f"<Recording {self.card}-{self.number} {self.length_samples / self.sample_rate:.1f} s>"

    @property
    def started(self) -> datetime | None:
        """When it began by the card's own clock, if that was set before or during the recording; in UTC, or where it was set."""
        return None if self.wall_ms is None else datetime.fromtimestamp(self.wall_ms / 1000, self._zone)

    @property
    def _zone(self) -> timezone:
        offset_min = self.settings.get("utc_offset_min")
        if not isinstance(offset_min, int) or abs(offset_min) > _MOST_OFFSET_MIN:
            return UTC
        return timezone(timedelta(minutes=offset_min))

    @property
    def kept_samples(self) -> int:
        return int(self.sound.samples.sum())

    @property
    def speech_samples(self) -> int:
        """Kept samples in whose frames the gate heard speech."""
        return int(self.sound.samples[self.sound.speech].sum())

    def gap_samples(self, reason: str) -> int:
        return sum(gap.samples for gap in self.gaps if gap.reason == reason)


def read_recording(source: bytes | Path) -> Recording:
    """The recording in a file or its bytes. Raises FormatError if nothing in it can be read."""
    data = _read_file(source) if isinstance(source, Path) else source
    found = scan(data)
    if not found.headers and not found.blocks_read:
        what = f"the file {source}" if isinstance(source, Path) else "this"
        raise FormatError(f"{what} is no recording of a card: nothing in it is readable; pull the recording again")
    return _assemble(found, data)


def _read_file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise FormatError(f"the recording {path} cannot be read ({error.strerror}); check the file") from error
    if len(data) > MAX_FILE_BYTES:
        raise FormatError(f"the file {path} is larger than any recording can be; give a card's recording (.vcr)")
    return data


def _assemble(found: Scan, data: bytes) -> Recording:
    header, head = found.first_header, found.head
    length = found.reached if found.end is None else found.end[0]
    sound = _lay_out(found.audio, length)
    stretches = _stretches(sound)
    sounding = [(Span(s.start_samples, s.start_samples + s.samples), None) for s in stretches]
    _, free = claim([Span(0, length)], sounding)
    gaps, free = claim(free, sorted(found.gaps, key=lambda item: item[0]))
    lost, free = claim(free, sorted(found.lost, key=lambda item: item[0]))
    wall_ms, wall_uncertainty_ms = found.wall_clock()
    return Recording(
        card=found.card,
        number=header.recording if header else head.recording if head else None,
        nonce=header.nonce.hex() if header else None,
        boot=head.boot if head else header.boot if header else None,
        firmware=head.firmware if head else None,
        kind=found.kind,
        start_ticks_us=head.ticks_us if head else None,
        wall_ms=wall_ms,
        wall_uncertainty_ms=wall_uncertainty_ms,
        sample_rate=found.sample_rate,
        frame_samples=found.frame_samples,
        codec=found.codec,
        settings=found.settings,
        length_samples=length,
        stretches=stretches,
        gaps=_merge(gaps),
        marks_samples=tuple(sorted(mark for mark in found.marks if mark <= length)),
        events=tuple(Event(*fields) for fields in sorted(set(found.events))),
        lost_samples=total(span for span, _ in lost),
        unknown_samples=total(free),
        end_reason=found.end[1] if found.end else None,
        damaged_sectors=tuple(found.damaged_sectors),
        notes=tuple(found.notes()),
        sound=sound,
        data=data,
    )


def _lay_out(audio: list[tuple[int, int, int, int, bool]], length: int) -> Sound:
    """Order blocks (position, samples, payload offset, payload bytes, speech) by time and cut overlaps and overhang."""
    table = np.array(sorted(audio), np.int64).reshape(-1, 5)
    position, samples = table[:, 0], table[:, 1]
    reached = np.maximum.accumulate(position + samples)
    start = position.copy()
    np.maximum(start[1:], reached[:-1], out=start[1:])
    used = np.minimum(position + samples, length) - start
    row = used > 0
    return Sound(
        payload_at=table[row, 2],
        payload_bytes=table[row, 3],
        start=start[row],
        skip=(start - position)[row],
        samples=used[row],
        speech=table[row, 4].astype(bool),
    )


def _stretches(sound: Sound) -> tuple[Stretch, ...]:
    ends = sound.start + sound.samples
    breaks = np.flatnonzero(sound.start[1:] != ends[:-1]) + 1
    bounds = [0, *breaks.tolist(), len(ends)] if len(ends) else []
    return tuple(
        Stretch(int(sound.start[first]), int(ends[stop - 1] - sound.start[first]), range(first, stop))
        for first, stop in pairwise(bounds)
    )


def _merge(gaps: Sequence[tuple[Span, tuple[int, int, str]]]) -> tuple[Gap, ...]:
    """Make one gap of neighbours that touch and have the same reason; the mean level is weighted by length."""
    merged: list[Gap] = []
    level_sum = 0
    for span, (mean, peak, reason) in gaps:
        samples = span.end - span.start
        last = merged[-1] if merged else None
        if last and last.reason == reason and last.start_samples + last.samples == span.start:
            level_sum += mean * samples
            samples += last.samples
            peak = max(peak, last.peak)
            merged[-1] = Gap(last.start_samples, samples, round(level_sum / samples), peak, reason)
        else:
            level_sum = mean * samples
            merged.append(Gap(span.start, samples, mean, peak, reason))
    return tuple(merged)
