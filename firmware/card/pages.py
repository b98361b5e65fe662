"""The pages of the status, which the owner turns with the key `memo`: plain text, at most 16 letters a line."""

import time

from card.errors import CardError
from wire import block, message

_UNIX_EPOCH_S = 946_684_800  # 2000 after 1970
_KEPT = ("on card only", "in library")


def page(card, number):
    """(title, lines) of a page from 1 on."""
    return _PAGES[number - 1](card)


def _storage(card):
    store = card.store
    if store is None:
        return "storage", ("not prepared",)
    clean = 100 * store.clean_sectors // store.sectors if store.sectors else 0
    return "storage", (
        "%d min left" % (store.seconds_left // 60),
        "%d recording%s" % (len(store.recordings), "" if len(store.recordings) == 1 else "s"),
        "%d%% clean" % clean,
    )


def _battery(card):
    status = card.power.status()
    lines = ["on the cable" if status["on_cable"] else "on battery"]
    mv = status["battery_mv"]
    if mv is None:
        lines.append("no battery")
    else:
        lines.append("%d%%  %d.%02d V" % (status["battery_percent"], mv // 1000, mv // 10 % 100))
    if status["battery_hours_left"] is not None:
        lines.append("%d hours left" % status["battery_hours_left"])
    return "battery", tuple(lines)


def _clock(card):
    clock = card.clock
    if not clock.wall_ms():
        return "clock", ("not set:", "sync sets it")
    seconds = clock.wall_ms() // 1000 + 60 * (clock.offset_min or 0) - _UNIX_EPOCH_S
    year, month, day, hour, minute = time.gmtime(seconds)[:5]
    return "clock", (
        "%04d-%02d-%02d" % (year, month, day),
        "%02d:%02d" % (hour, minute),
        "within %d s" % max(1, clock.uncertainty_ms // 1000),
    )


def _last_recording(card):
    store = card.store
    if store is None or not store.recordings:
        return "last", ("no recording",)
    number = store.recordings[-1]
    try:
        entry = store.entry(number)
    except (CardError, OSError):
        return "last", ("number %d" % number, "does not read")
    seconds = entry.samples // block.SAMPLE_RATE
    return "last", (
        "number %d" % number,
        "%d:%02d:%02d" % (seconds // 3600, seconds // 60 % 60, seconds % 60),
        _KEPT[bool(entry.flags & message.LISTED_SAFE)],
    )


def _version(card):
    return "card " + card.name, ("firmware " + card.version, "start %d" % card.boot)


_PAGES = (_storage, _battery, _clock, _last_recording, _version)
