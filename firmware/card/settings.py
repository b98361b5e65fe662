"""The owner's settings: one table of names, defaults and limits, and the file that overrides them."""

import json

PATH = "/settings.json"
OFF, AUTO = "off", "auto"
NEEDED, AT_ONCE, NEVER = "when needed", "at once", "never"
# name: (default, values that are allowed)
TABLE = {
    "vad_mode": (1, (0, 1, 2, 3, OFF)),  # how selective the gate is; off keeps everything
    "pre_roll_ms": (300, range(0, 601)),
    "hang_over_ms": (800, range(0, 5001)),
    "remove": (NEEDED, (NEEDED, AT_ONCE, NEVER)),  # when recordings that a library holds make room
    "clean_percent": (50, range(5, 96)),  # of the card's storage that is kept ready while idle
    "gain_db": (AUTO, (AUTO,) + tuple(range(0, 43, 3))),
}


def defaults():
    return {name: default for name, (default, _) in TABLE.items()}


def accepted(name, value):
    """Whether a value may be set: of a known setting, and one of those allowed."""
    return name in TABLE and type(value) in (int, str) and value in TABLE[name][1]


def load(log, path=PATH):
    """Settings from the file; what is missing, unreadable or out of range keeps its default, with a line in the log."""
    values = defaults()
    try:
        with open(path) as file:
            saved = json.load(file)
        items = saved.items()
    except OSError:
        return values
    except (ValueError, AttributeError):
        log.note("settings unreadable, defaults used")
        return values
    for name, value in items:
        if accepted(name, value):
            values[name] = value
        else:
            log.note("setting %s refused" % name)
    return values
