"""The flight recorder: counters that survive restarts, in a small file on `vfs`. Saved only while nothing is being recorded."""

import json

from micropython import const

from card import files

NAME = "/counters.json"
CAUSES = ("power", "reset", "watchdog", "sleep", "soft")
FAILED_STARTS, LOST_SAMPLES, LONGEST_STALL_US = "failed_starts", "lost_samples", "longest_stall_us"
ERASES, CUT_RECORDINGS, LINK_ERRORS = "erases", "cut_recordings", "link_errors"
LOWEST_BATTERY_MV = "lowest_battery_mv"  # 0: never measured
_NAMES = (FAILED_STARTS, LOST_SAMPLES, LONGEST_STALL_US, ERASES, CUT_RECORDINGS, LINK_ERRORS, LOWEST_BATTERY_MV)
_MOST_BYTES = const(1024)
_HIGHEST = (1 << 53) - 1  # what JSON carries exactly
_ENOENT = const(2)


class Counters:
    """`values` is what a host gets: `boots` by cause, and the numbers named above."""

    def __init__(self, log, folder):
        self._log = log
        self._path = folder + NAME
        self._totals = {}  # since this start, as last followed
        self.values = _load(log, self._path)
        self._saved = json.dumps(self.values)

    def add(self, name, amount):
        self.values[name] += amount

    def add_boot(self, cause):
        self.values["boots"][cause] += 1

    def follow(self, name, total):
        """Add what a total that counts since this start has grown by; a smaller one has begun anew."""
        before = self._totals.get(name, 0)
        self._totals[name] = total
        self.values[name] += total - before if total >= before else total

    def highest(self, name, value):
        self.values[name] = max(self.values[name], value)

    def lowest(self, name, value):
        self.values[name] = min(self.values[name] or value, value)

    def save(self):
        """Write the file if anything changed."""
        text = json.dumps(self.values)
        if text == self._saved:
            return
        try:
            files.replace(self._path, text)
            self._saved = text
        except (OSError, MemoryError) as error:
            self._log.note("counters not saved: %r" % error)


def _load(log, path):
    values = {"boots": dict.fromkeys(CAUSES, 0)}  # type: dict
    values.update(dict.fromkeys(_NAMES, 0))
    try:
        with open(path) as file:
            saved = json.loads(file.read(_MOST_BYTES))
        boots = {cause: _count(saved["boots"].get(cause, 0)) for cause in CAUSES}
        counts = {name: _count(saved.get(name, 0)) for name in _NAMES}
    except Exception as error:  # whatever the file holds, the card starts
        if getattr(error, "errno", 0) != _ENOENT:
            log.note("counters unreadable, begun anew: %r" % error)
        return values
    values.update(counts)
    values["boots"] = boots
    return values


def _count(value):
    if type(value) is not int or not 0 <= value <= _HIGHEST:
        raise ValueError("no count")
    return value
