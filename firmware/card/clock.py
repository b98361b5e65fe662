"""Time: microseconds since boot without a wrap, and wall time once a host has set it."""

import json
import time

from micropython import const

_SLEEP_ERROR = const(20)  # one part in so many of the time slept: the chip's slow oscillator is good to 5 %


class Clock:
    """Accumulates `ticks_us`, which wraps every 17.9 minutes: `us` must be called at least that often."""

    def __init__(self):
        self._ticks = time.ticks_us()
        self._us = 0
        self._wall_offset_ms = None
        self.uncertainty_ms = 0
        self.offset_min = None  # of the place where it was set, minutes east of UTC

    def us(self):
        """Microseconds since boot."""
        now = time.ticks_us()
        self._us += time.ticks_diff(now, self._ticks)
        self._ticks = now
        return self._us

    def wall_ms(self):
        """Unix time in ms, or 0 while no host has set it."""
        return 0 if self._wall_offset_ms is None else self.us() // 1000 + self._wall_offset_ms

    def set_wall(self, wall_ms, uncertainty_ms, offset_min=None):
        self._wall_offset_ms = wall_ms - self.us() // 1000
        self.uncertainty_ms = uncertainty_ms
        self.offset_min = offset_min

    def to_bytes(self):
        """What `go_on` makes the wall time of after a deep sleep; empty while nobody has set it."""
        if self._wall_offset_ms is None:
            return b""
        return json.dumps([self.wall_ms(), self.uncertainty_ms, self.offset_min, _calendar_ms()]).encode()

    def go_on(self, data):
        """Take the wall time up again where it was before a deep sleep. What makes no sense leaves it unset."""
        try:
            wall_ms, uncertainty_ms, offset_min, then_ms = json.loads(data)
            slept_ms = _calendar_ms() - then_ms
            if slept_ms >= 0:
                self.set_wall(wall_ms + slept_ms, uncertainty_ms + slept_ms // _SLEEP_ERROR, offset_min)
        except (ValueError, TypeError):
            pass


def _calendar_ms():
    """The chip's own calendar, which goes on while it sleeps; nobody sets it."""
    return time.time_ns() // 1_000_000
