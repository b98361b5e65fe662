"""What an emulated card tells: while it runs, of each of its boots, and of the whole run."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field as dataclass_field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that happened: kind is note, booted, plugged, unplugged, screen, signal, prompt or off. `port` is set when plugged.

    `pixels` of a screen: rows of 16 bytes, most significant bit first, 1 is light; `level` of a signal: 0 or 1."""

    kind: str
    text: str
    port: Path | None = None
    pixels: bytes = b""
    level: int = 0


@dataclass(frozen=True, slots=True)
class FlashOperation:
    """One call to the flash: kind is read, program or erase; offset within the partition; time since power-on."""

    kind: str
    label: str
    offset: int
    size_bytes: int
    time_us: int


@dataclass(frozen=True, slots=True)
class CycleReport:
    """One boot: a power cycle has another after each restart. `reason` of its end: end (of the script), cut, watchdog,
    reset, sleep (and waking), soft (reset), or stopped (from outside). Times start at 0 in each.

    `signals`: microseconds and level, 0 or 1, of each change of the LED. `flash`: by partition label the counts reads,
    read_bytes, programs, program_bytes, largest_program, page_crossings and erases. `flash_operations`: programs and erases
    in all, the numbers that `cut_at` counts. Of the card's heap the emulator had `emulator_heap_bytes` when it booted, and later
    as much as `emulator_buffer_bytes` in one piece for what a host had not taken yet."""

    reason: str
    time_us: int = 0
    samples_heard: int = 0
    samples_lost: int = 0
    dropped_callbacks: int = 0
    flash_operations: int = 0
    flash: dict[str, dict[str, int]] = dataclass_field(default_factory=dict)
    flash_log: tuple[FlashOperation, ...] = ()
    signals: tuple[tuple[int, int], ...] = ()
    emulator_heap_bytes: int = 0
    emulator_buffer_bytes: int = 0


@dataclass(frozen=True, slots=True)
class EmulationReport:
    cycles: tuple[CycleReport, ...]
    console: str
    screens: tuple[Path, ...]
