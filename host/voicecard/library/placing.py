"""When a recording was made that began before its card knew the time: by the ticks of its start, or between which times."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from voicecard.library.clocks import Reading, place
from voicecard.library.entry import Entry

CARD_CLOCK = "card clock"
CARD_TICKS = "card ticks, placed at sync"

Readings = Mapping[int, Sequence[Reading]]


def readings_of(entries: Iterable[Entry], noted: Readings) -> dict[int, list[Reading]]:
    """A card's readings by boot: those noted, and those that its recordings with a date bear witness of."""
    found = {boot: list(readings) for boot, readings in noted.items()}
    for entry in entries:
        if entry.started and entry.started_how == CARD_CLOCK and entry.boot is not None and entry.ticks_us is not None:
            witness = Reading(entry.ticks_us, _ms(entry.started), entry.uncertainty_ms or 0)
            found.setdefault(entry.boot, []).append(witness)
    return found


def by_ticks(boot: int | None, ticks_us: int | None, readings: Readings) -> dict[str, Any]:
    """The fields of recording.json that tell when it began, if its start has a reading; else nothing."""
    if boot is None or ticks_us is None:
        return {}
    placed = place(ticks_us, readings.get(boot, ()))
    if placed is None:
        return {}
    started = _time(placed.wall_ms).isoformat(timespec="milliseconds")
    told = {"started": started, "started_how": CARD_TICKS, "uncertainty_ms": placed.uncertainty_ms}
    return {**told, "not_before": None, "not_after": None}


def between(entry: Entry, received: datetime, others: Iterable[Entry], readings: Readings) -> dict[str, Any]:
    """`not_before` and `not_after` of a recording without a date: what its card is known to have done before and after.

    Numbers and boots only grow. Where clocks contradict each other the later bound alone is told."""
    before, after = [], [received]
    if entry.number:
        dated = [other for other in others if other.started]
        before += [_ended(other) for other in dated if 0 < other.number < entry.number]
        after += [other.started for other in dated if other.started and other.number > entry.number]
    if entry.boot is not None:
        before += [_time(r.wall_ms) for boot, found in readings.items() if boot < entry.boot for r in found]
        after += [_time(r.wall_ms) for boot, found in readings.items() if boot > entry.boot for r in found]
    latest, earliest = max(before, default=None), min(after)
    if latest is not None and latest > earliest:
        latest = None
    return {"not_before": _iso(latest) if latest else None, "not_after": _iso(earliest)}


def _ended(entry: Entry) -> datetime:
    assert entry.started is not None
    return entry.started + timedelta(seconds=entry.length_s)


def _ms(time: datetime) -> int:
    return round(time.timestamp() * 1000)


def _time(wall_ms: int) -> datetime:
    return datetime.fromtimestamp(wall_ms / 1000).astimezone()


def _iso(time: datetime) -> str:
    return time.astimezone().isoformat(timespec="seconds")
