"""What an LED or a vibration motor tells of the card's state, for who does not see the screen: a pattern when the state changes, and on the
LED a flash now and then while something goes on or is wrong."""

import time

from micropython import const

STEP_MS = const(50)
_SHORT_MS, _LONG_MS, _PAUSE_MS = const(100), const(400), const(150)
_REMINDER_MS = const(4000)

# By state, as gestures.py names them, and by what else is to be told: . is short, - is long.
PATTERNS = {
    "idle": "..",
    "recording": "-",
    "paused": "-.",
    "off the record": "-..",
    "memo": ".",
    "transferring": "...",
    "storage low": "--",
    "storage full": "---",
    "battery low": ".-",
    "fault": ".....",
    "safe mode": "....",
    "busy": "",
    "no sound": ".-.",
    "no display": "--.",
}
_SILENT = ("idle", "transferring", "busy", "storage low")  # of which nothing reminds


class Signal:
    """`step` tells whether it is on now. With `reminds` a flash every few seconds says that a state lasts."""

    def __init__(self, reminds):
        self._reminds = reminds
        self._state = None
        self._plan = []  # ms that it is still on, off, on, ...
        self._since_ms = time.ticks_ms()
        self._flashed_ms = self._since_ms

    def step(self, state):
        now_ms = time.ticks_ms()
        if state != self._state:
            self._state = state
            self._begin(_plan(PATTERNS[state]), now_ms)
        elif self._is_due(now_ms):
            self._begin([STEP_MS], now_ms)
        while self._plan and time.ticks_diff(now_ms, self._since_ms) >= self._plan[0]:
            self._since_ms = time.ticks_add(self._since_ms, self._plan.pop(0))
        self._flashed_ms = now_ms if self._plan else self._flashed_ms
        return len(self._plan) % 2 == 1

    def _begin(self, plan, now_ms):
        self._plan = plan
        self._since_ms = self._flashed_ms = now_ms

    def _is_due(self, now_ms):
        lasts = self._reminds and not self._plan and self._state not in _SILENT
        return lasts and time.ticks_diff(now_ms, self._flashed_ms) >= _REMINDER_MS


def _plan(pattern):
    """An odd number of times: it begins and ends with on."""
    plan = []  # type: list[int]
    for sign in pattern:
        plan += [_PAUSE_MS] if plan else []
        plan.append(_LONG_MS if sign == "-" else _SHORT_MS)
    return plan
