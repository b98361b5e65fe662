"""What the card draws, and how long a battery lasts: `make docs` writes power-budget.md from the figures here.

Currents are typical ones at 3.3 V out of data sheets, unless their source says otherwise: a computation, not a measurement."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

BATTERY_MAH = 500  # a cell of about 4 x 30 x 35 mm
USABLE = 0.9  # down to the voltage at which the card ends its recording
RUNNING_SHARE = 0.25  # of one core while recording: the design's bound; counted instructions say 0.21
RUNNING_SHARE_IDLE = 0.05  # estimate: keys, screen and link are looked at
LIT_SHARE_RECORDING = 1 / 30  # the screen rests while recording, and is looked at now and then


@dataclass(frozen=True)
class Part:
    """Currents in mA while recording, idle with the screen lit, and asleep."""

    name: str
    recording: float
    idle: float
    asleep: float
    source: str


WAITING, RUNNING = 47.6, 65.9
READING_FLASH = 10.0
SCREEN = 8.0
COMMON = (
    Part(
        "ESP32-S3 at 240 MHz, no radio",
        WAITING + RUNNING_SHARE * (RUNNING - WAITING),
        WAITING,
        0.008,
        "ESP32-S3 Series Datasheet v2.2, table 5-9 (cores waiting 47.6 mA, one core running 65.9 mA, all peripheral clocks on) and "
        "table 5-10 (deep sleep, RTC memory and peripherals powered)",
    ),
    Part(
        "PSRAM, 8 MB octal, in the module",
        1.0,
        1.0,
        0.0,
        "estimate: no data sheet tells; its supply is off in deep sleep",
    ),
    Part(
        "flash, read for code",
        READING_FLASH * RUNNING_SHARE,
        READING_FLASH * RUNNING_SHARE_IDLE,
        0.0,
        "the same, note to table 5-9: 10 mA while it is read",
    ),
    Part("flash, writing speech", 0.4, 0.0, 0.001, "15 mA for the 0.8 ms that a page of 30 ms takes; power-down 1 µA"),
    Part(
        "SSD1306 display, a tenth of it lit",
        SCREEN * LIT_SHARE_RECORDING,
        SCREEN,
        0.01,
        "modules' data sheets; SSD1306 data sheet, sleep current 10 µA at most",
    ),
    Part("battery divider, 2 x 100 kΩ", 0.02, 0.02, 0.02, "Ohm's law at 4 V"),
    Part("regulator, ME6211", 0.04, 0.04, 0.04, "its data sheet, quiescent current"),
)
MICROPHONES = (
    Part("INMP441", 2.2, 0.8, 0.8, "data sheet, table 1: normal 2.2 mA; without a clock, standby 0.8 mA"),
    Part("ICS-43434", 0.49, 0.012, 0.012, "data sheet DS-000069: 490 µA; without a clock, sleep 12 µA"),
)
MODES = ("recording", "idle", "asleep")


def budget() -> str:
    """The page, in Markdown."""
    lines = [
        "# Power budget",
        "",
        f"Computed by `{Path(__file__).name}` from data sheets; nothing here was measured on a board. "
        f"Battery: {BATTERY_MAH} mAh, of which {USABLE:.0%} are used.",
        "",
        "| part | recording, mA | idle, screen lit, mA | asleep, mA | from |",
        "| --- | --- | --- | --- | --- |",
        *(_row(part) for part in (*COMMON, *MICROPHONES)),
        "",
        "| with microphone | recording | idle | asleep |",
        "| --- | --- | --- | --- |",
        *(_hours(microphone) for microphone in MICROPHONES),
        "",
        "A card that is left alone on its battery falls asleep after 10 minutes (`sleep_after_min`), so `idle` lasts that",
        "long and no longer. A development board adds what the computation leaves out: its power LED, its USB bridge and its",
        "own regulator draw several mA whatever the chip does; asleep they are nearly all of it. An INMP441 goes on drawing",
        "0.8 mA unless its enable pin is switched, too.",
        "",
    ]
    return "\n".join(lines)


def _row(part: Part) -> str:
    currents = " | ".join(f"{getattr(part, mode):.3g}" for mode in MODES)
    return f"| {part.name} | {currents} | {part.source} |"


def _hours(microphone: Part) -> str:
    cells = []
    for mode in MODES:
        current = sum(getattr(part, mode) for part in (*COMMON, microphone))
        hours = BATTERY_MAH * USABLE / current
        lasting = f"{hours:.1f} hours" if hours < 48 else f"{hours / 24:.0f} days"
        cells.append(f"{current:.3g} mA: {lasting}")
    return f"| {microphone.name} | {' | '.join(cells)} |"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(budget(), encoding="utf-8")
