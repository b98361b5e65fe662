"""The owner's settings: one table of names, defaults and limits, and the file that overrides them."""

import json

PATH = "/settings.json"
# name: (default, lowest, highest)
TABLE = {
    "pre_roll_ms": (300, 0, 600),
    "hang_over_ms": (800, 0, 5000),
    "gate": (1, 0, 1),  # 0: keep everything
    "gain_db": (0, 0, 42),
}


def defaults():
    return {name: limits[0] for name, limits in TABLE.items()}


def accepted(name, value):
    """Whether a value may be set: a known name, a whole number within its limits."""
    if name not in TABLE or type(value) is not int:
        return False
    _, lowest, highest = TABLE[name]
    return lowest <= value <= highest


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
