"""Gather what the blocks of a recording's file say, sector after sector, and count what cannot be read."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from voicecard.firmware.wire import block, sector
from voicecard.firmware.wire.sector import SECTOR_BYTES
from voicecard.library.blocks import blocks_of
from voicecard.library.clocks import WALL_MS
from voicecard.library.timeline import Span

GAP_REASONS = {block.GAP_SILENCE: "silence", block.GAP_PAUSED: "paused", block.GAP_WITHHELD: "withheld"}
EVENTS = {
    block.EVENT_CLOCK_SET: "clock set",
    block.EVENT_SAMPLES_LOST: "samples lost",
    block.EVENT_BATTERY: "battery",
    block.EVENT_STALLED: "stalled",
    block.EVENT_PAGE_REWRITTEN: "page rewritten",
    block.EVENT_NO_SOUND: "no sound",
}
END_REASONS = {
    block.END_KEY: "key",
    block.END_STORAGE_FULL: "storage full",
    block.END_POWER_LOST: "power lost",
    block.END_BATTERY_LOW: "battery low",
    block.END_ROLLED_OVER: "rolled over",
    block.END_HOST: "host",
    block.END_FAULT: "fault",
    block.END_CUT: "cut",
}
KINDS = {block.KIND_RECORDING: "recording", block.KIND_MEMO: "memo"}

# A recording rolls over at 12 hours; a position well beyond that is no position.
MAX_POSITION_SAMPLES = block.MAX_RECORDING_SAMPLES + 60 * block.SAMPLE_RATE
_SAMPLE_RATES = range(8000, 48001)
_MAX_FRAME_SAMPLES = 2 * (block.MAX_PAYLOAD_BYTES - block.CODEC_STATE_BYTES)


@dataclass(slots=True)
class Scan:
    """The content of one file's blocks in the order they stand there; every position is in samples and bounded."""

    headers: list[Any] = field(default_factory=list)
    marker_card: str | None = None
    head: Any = None
    settings: dict[str, Any] = field(default_factory=dict)
    end: tuple[int, str] | None = None
    # position, samples, payload offset, payload bytes, speech
    audio: list[tuple[int, int, int, int, bool]] = field(default_factory=list)
    # span, (mean level, peak level, reason)
    gaps: list[tuple[Span, tuple[int, int, str]]] = field(default_factory=list)
    lost: list[tuple[Span, None]] = field(default_factory=list)
    marks: set[int] = field(default_factory=set)
    # position, event, value, wide value
    events: list[tuple[int, str, int, int]] = field(default_factory=list)
    begins: int | None = None  # the lowest position
    reached: int = 0
    blocks_read: int = 0
    damaged_sectors: list[int] = field(default_factory=list)
    foreign_sectors: int = 0
    headless_sectors: int = 0
    unreadable_blocks: int = 0
    unknown_blocks: int = 0
    cut_bytes: int = 0

    @property
    def first_header(self) -> Any:
        return min(self.headers, key=lambda header: header.number, default=None)

    @property
    def card(self) -> str | None:
        return (self.head.card if self.head else self.marker_card) or None

    @property
    def kind(self) -> str:
        return KINDS.get(self.head.kind, "recording") if self.head else "recording"

    @property
    def sample_rate(self) -> int:
        return self.head.sample_rate if self._rate_told() else block.SAMPLE_RATE

    @property
    def frame_samples(self) -> int:
        told = self.head and 0 < self.head.frame_samples <= _MAX_FRAME_SAMPLES
        return self.head.frame_samples if told else block.FRAME_SAMPLES

    @property
    def codec(self) -> int:
        return self.head.codec if self.head else block.CODEC_IMA_ADPCM

    def _rate_told(self) -> bool:
        return self.head is not None and self.head.sample_rate in _SAMPLE_RATES

    def wall_clock(self) -> tuple[int | None, int | None]:
        """Unix ms at position 0 and its uncertainty in ms: the head's, or reckoned from the clock's first setting."""
        if self.head and self.head.wall_ms in WALL_MS:
            return self.head.wall_ms, self.head.wall_uncertainty_ms
        for position, event, uncertainty_ms, wall_ms in sorted(self.events):
            if event == EVENTS[block.EVENT_CLOCK_SET] and wall_ms in WALL_MS:
                return wall_ms - position * 1000 // self.sample_rate, uncertainty_ms
        return None, None

    def notes(self) -> list[str]:
        """A phrase for each thing that is not as a whole recording would have it."""
        numbers = {header.number for header in self.headers}
        missing = max(numbers) + 1 - len(numbers) - self.headless_sectors if numbers else 0
        counted = (
            (missing, "sectors are missing"),
            (self.headless_sectors, "sectors have an unreadable header"),
            (self.foreign_sectors, "sectors belong to another recording and were passed over"),
            (len(self.damaged_sectors), "sectors are damaged in places"),
            (self.unreadable_blocks, "blocks cannot be understood"),
            (self.unknown_blocks, "blocks are of a kind that a newer voicecard may know"),
            (self.cut_bytes, "bytes at the end are no whole sector"),
        )
        notes = [f"{count} {what}" for count, what in counted if count > 0]
        if self.head is None:
            notes.append("the head is missing: what it says is assumed or unknown")
        elif not self._rate_told():
            notes.append(f"a sample rate of {self.head.sample_rate} is not believed: 16000 is assumed")
        return notes


def scan(data: bytes) -> Scan:
    """Read all whole sectors of a file. Never raises for what the bytes are."""
    found = Scan()
    sectors = [data[at : at + SECTOR_BYTES] for at in range(0, len(data) - SECTOR_BYTES + 1, SECTOR_BYTES)]
    found.cut_bytes = len(data) - len(sectors) * SECTOR_BYTES
    headers = [sector.read_header(raw) for raw in sectors]
    identity = _commonest_identity(headers)
    for index, (raw, header) in enumerate(zip(sectors, headers, strict=True)):
        if header is None:
            found.headless_sectors += 1
        elif (header.recording, header.nonce) != identity:
            found.foreign_sectors += 1
            continue
        else:
            found.headers.append(header)
        _read_sector(found, raw, index)
    return found


def _commonest_identity(headers: list[Any]) -> tuple[int, bytes] | None:
    counts = Counter((header.recording, header.nonce) for header in headers if header)
    return counts.most_common(1)[0][0] if counts else None


def _read_sector(found: Scan, raw: bytes, index: int) -> None:
    marker = sector.read_marker(raw)
    if marker and not found.marker_card:
        found.marker_card = marker.card
    blocks, damaged = blocks_of(raw)
    for read in blocks:
        found.blocks_read += 1
        try:
            _read_block(found, read, raw[read.payload_at : read.payload_at + read.payload_bytes], index)
        except ValueError:
            found.unreadable_blocks += 1
    if damaged:
        found.damaged_sectors.append(index)


def _read_block(found: Scan, read: Any, payload: bytes, index: int) -> None:
    """Note what one block says. Raises ValueError if its payload or position makes no sense."""
    samples = 0
    if read.kind == block.AUDIO:
        samples = 2 * (len(payload) - block.CODEC_STATE_BYTES)
        span = _span(read.position, samples)
        payload_at = index * SECTOR_BYTES + read.payload_at
        found.audio.append((span.start, samples, payload_at, len(payload), bool(read.flags & block.FLAG_SPEECH)))
    elif read.kind == block.GAP:
        gap = block.read_gap(payload)
        samples = gap.samples
        reason = GAP_REASONS.get(gap.reason, f"reason {gap.reason}")
        found.gaps.append((_span(read.position, samples), (gap.mean, gap.peak, reason)))
    elif read.kind == block.EVENT:
        samples = _read_event(found, read.position, payload)
    elif read.kind == block.MARK:
        found.marks.add(_span(read.position, 0).start)
    elif read.kind == block.HEAD:
        _read_head(found, payload)
    elif read.kind == block.END:
        reason = block.read_end(payload).reason
        found.end = _span(read.position, 0).start, END_REASONS.get(reason, f"reason {reason}")
    else:
        found.unknown_blocks += 1
    span = _span(read.position, samples)
    found.begins = span.start if found.begins is None else min(found.begins, span.start)
    found.reached = max(found.reached, span.end)


def _read_event(found: Scan, position: int, payload: bytes) -> int:
    """Note an event; returns the samples of time that it explains."""
    event = block.read_event(payload)
    samples = event.value if event.event == block.EVENT_SAMPLES_LOST else 0
    span = _span(position, samples)
    found.events.append((position, EVENTS.get(event.event, f"event {event.event}"), event.value, event.wide))
    if samples:
        found.lost.append((span, None))
    return samples


def _read_head(found: Scan, payload: bytes) -> None:
    head = block.read_head(payload)
    try:
        settings = json.loads(head.settings_json) if head.settings_json else {}
        # What cannot be written again as strict JSON would spoil recording.json.
        json.dumps(settings, allow_nan=False, ensure_ascii=False).encode()
    except ValueError:
        settings = None
    found.head = found.head or head
    if isinstance(settings, dict):
        found.settings = found.settings or settings
    else:
        found.unreadable_blocks += 1


def _span(position: int, samples: int) -> Span:
    """Raises ValueError for a span that no recording can hold."""
    if samples < 0 or position + samples > MAX_POSITION_SAMPLES:
        raise ValueError("no position of a recording")
    return Span(position, position + samples)
