"""Time: microseconds since boot without a wrap, and wall time once a host has set it."""

import time


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
