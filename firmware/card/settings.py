"""The owner's settings: one table of names, defaults and limits, and the file that overrides them."""

import json

from micropython import const

from card import files

PATH = "/settings.json"
OFF, AUTO = "off", "auto"
LED, MOTOR = "led", "motor"
NEEDED, AT_ONCE, NEVER, AFTER_DAYS = "when needed", "at once", "never", "after days"
# name: (default, values that are allowed)
TABLE = {
    "vad_mode": (1, (0, 1, 2, 3, OFF)),  # how selective the gate is; off keeps everything
    "pre_roll_ms": (300, range(0, 601)),
    "hang_over_ms": (800, range(0, 5001)),
    "copies": (1, range(1, 5)),  # libraries that must hold a recording before it counts as safe
    "remove": (NEEDED, (NEEDED, AT_ONCE, AFTER_DAYS, NEVER)),  # when safe recordings make room
    "remove_after_days": (30, range(1, 366)),
    "clean_percent": (50, range(5, 96)),  # of the card's storage that is kept ready while idle
    "signal": (LED, (OFF, LED, MOTOR)),  # what is on the signal's pin; with the next start
    "sleep_after_min": (10, range(0, 241)),  # idle on battery; 0: never
    "display_lines": (64, (64, 32)),  # of the display that is fitted; with the next start
    "gain_db": (AUTO, (AUTO,) + tuple(range(0, 43, 3))),
}
OF_SOUND = ("vad_mode", "pre_roll_ms", "hang_over_ms", "gain_db")  # those that each recording carries
_MOST_BYTES = const(2048)
_ENOENT = const(2)


def defaults():
    return {name: default for name, (default, _) in TABLE.items()}


def accepted(name, value):
    """Whether a value may be set: of a known setting, and one of those allowed."""
    return name in TABLE and type(value) in (int, str) and value in TABLE[name][1]


def changed(values, changes):
    """`values` with `changes` made. Raises ValueError, and changes nothing, when one of them is not accepted."""
    for name, value in changes.items():
        if not accepted(name, value):
            raise ValueError(name)
    fresh = dict(values)
    fresh.update(changes)
    return fresh


def described(values):
    """{name: {`value`, `default`, `allowed`}}; `allowed` is a list, or {`from`, `to`} for every whole number between."""
    return {
        name: {"value": values[name], "default": default, "allowed": _limits(allowed)}
        for name, (default, allowed) in TABLE.items()
    }


def _limits(allowed):
    return {"from": allowed[0], "to": allowed[-1]} if isinstance(allowed, range) else list(allowed)


def load(log, path=PATH):
    """Settings from the file; what is missing, unreadable or out of range keeps its default, with a line in the log."""
    values = defaults()
    try:
        with open(path) as file:
            items = json.loads(file.read(_MOST_BYTES)).items()
    except Exception as error:  # whatever the file holds, the card starts
        if getattr(error, "errno", 0) != _ENOENT:
            log.note("settings unreadable, defaults used: %r" % error)
        return values
    for name, value in items:
        if accepted(name, value):
            values[name] = value
        else:
            log.note("setting %s refused" % name)
    return values


def save(values, path=PATH):
    """Raises OSError when they cannot be written; the old ones stay then."""
    files.replace(path, json.dumps(values))
