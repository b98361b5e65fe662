"""What wall time a card's ticks meant, start by start: `clocks.json` in the library, written at each connection.

    {"version": 1, "cards": {"k3f92b": {"12": [[ticks_us, wall_ms, uncertainty_ms], ...]}}}

Of each start of a card (its boot number) the first and the last reading are kept. Losing the file loses no recording, only the
time of those that were made before a card knew the time and are not in the library yet."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from voicecard.library.files import read_json, write_json

VERSION = 1
WALL_MS = range(1_577_836_800_000, 4_102_444_800_000)  # from 2020 to 2100: a time outside was never set
_DRIFT = 100e-6  # of a crystal: what a card's ticks may be off since they were read


class Reading(NamedTuple):
    """Microseconds since the card's start, and the Unix time in ms that it then was."""

    ticks_us: int
    wall_ms: int
    uncertainty_ms: int


class Placed(NamedTuple):
    """A moment (Unix time in ms) that ticks were translated to."""

    wall_ms: int
    uncertainty_ms: int


def place(ticks_us: int, readings: Iterable[Reading]) -> Placed | None:
    """The wall time of a moment in a start by its surest reading; None without any that makes sense."""
    found = [placed for placed in (_by(reading, ticks_us) for reading in readings) if placed.wall_ms in WALL_MS]
    return min(found, key=lambda placed: placed.uncertainty_ms, default=None)


def _by(reading: Reading, ticks_us: int) -> Placed:
    ago_ms = (reading.ticks_us - ticks_us) / 1000
    return Placed(round(reading.wall_ms - ago_ms), reading.uncertainty_ms + round(abs(ago_ms) * _DRIFT) + 1)


class Clocks:
    """The file at `path`. An unreadable one counts as empty; its writer holds the library's lock."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def readings(self, card: str) -> dict[int, list[Reading]]:
        """The readings of a card's starts, by boot number."""
        return self._read().get(card, {})

    def note(self, card: str, boot: int, reading: Reading) -> None:
        """Keep a reading. Raises OSError when the disk refuses."""
        cards = self._read()
        kept = sorted({reading, *cards.setdefault(card, {}).get(boot, [])})
        cards[card][boot] = [kept[0], kept[-1]] if len(kept) > 1 else kept
        write_json(self._path, {"version": VERSION, "cards": cards})

    def _read(self) -> dict[str, dict[int, list[Reading]]]:
        with suppress(OSError, ValueError, TypeError, AttributeError, OverflowError):
            cards = read_json(self._path)["cards"]
            return {
                str(card): {int(boot): [_checked(*fields) for fields in readings] for boot, readings in boots.items()}
                for card, boots in cards.items()
            }
        return {}


def _checked(ticks_us: int, wall_ms: int, uncertainty_ms: int) -> Reading:
    """Raises ValueError for what is no reading, OverflowError or OSError for a time that no calendar has."""
    reading = Reading(int(ticks_us), int(wall_ms), int(uncertainty_ms))
    if reading.ticks_us < 0 or reading.uncertainty_ms < 0:
        raise ValueError("no reading")
    datetime.fromtimestamp(reading.wall_ms / 1000)
    return reading
