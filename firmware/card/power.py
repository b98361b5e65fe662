"""Where the card's power comes from, how long it lasts, and when the card may sleep."""

import time

from micropython import const

from card import board
from card.battery import Battery

_MEASURE_MS = const(5000)
_MINUTE_MS = const(60_000)
_SLEEP_WHEN_LOW_MIN = const(1)  # an empty battery is not for waiting


class Power:
    """`step` is called often; `touch` when the owner, or a host, has done something."""

    def __init__(self, log):
        self._cable = board.cable()
        self.battery = Battery(board.battery_mv, log)
        self._was_on_cable = False
        self._measured_ms = self._touched_ms = time.ticks_ms()
        for _ in range(2):  # whether it is low is known from the beginning
            self.battery.measure(self.on_cable)

    @property
    def on_cable(self):
        return not self._cable.value()

    @property
    def low(self):
        """Whether the battery is about to end."""
        return self.battery.low

    def step(self):
        """Measure when it is time. Returns whether that was done."""
        on_cable = self.on_cable
        if on_cable != self._was_on_cable:
            self._was_on_cable = on_cable
            self.touch()
        elif time.ticks_diff(time.ticks_ms(), self._measured_ms) < _MEASURE_MS:
            return False
        self._measured_ms = time.ticks_ms()
        self.battery.measure(on_cable)
        return True

    def touch(self):
        self._touched_ms = time.ticks_ms()

    def may_sleep(self, after_min):
        """Whether nothing has been done for so many minutes (0: never), on a battery and without a cable.

        A board whose battery cannot be measured has none, and runs on a cable that it cannot see."""
        if self.on_cable or self.battery.mv is None or not after_min:
            return False
        idle_ms = time.ticks_diff(time.ticks_ms(), self._touched_ms)
        return idle_ms >= (_SLEEP_WHEN_LOW_MIN if self.low else after_min) * _MINUTE_MS

    def status(self):
        battery = self.battery
        return {
            "on_cable": self.on_cable,
            "battery_mv": battery.mv,
            "battery_percent": battery.percent,
            "battery_hours_left": battery.hours_left,
        }
