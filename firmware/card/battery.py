"""The battery: what is left of it, and when it is too low to record."""

import time

from micropython import const

# Resting voltage of a lithium polymer cell at 25 °C and what is left of its charge: the usual discharge curve of cells with a
# cobalt cathode, as their data sheets draw it for a fifth of the capacity an hour and less. A card draws less.
_CURVE = (
    (4200, 100),
    (4110, 90),
    (4020, 80),
    (3950, 70),
    (3870, 60),
    (3840, 50),
    (3800, 40),
    (3770, 30),
    (3730, 20),
    (3690, 10),
    (3610, 5),
    (3300, 0),
)
LOW_MV = const(3450)  # the regulator still has 150 mV to spare; the cell holds 2 %, minutes of recording
_WELL_MV = const(3600)  # so much must be there before it counts as well again
_MOST_MV, _LEAST_MV = const(4400), const(2700)  # what no cell of a running card can have
_READINGS = const(16)
_LOW_TIMES = const(2)  # in a row: a single dip is no empty battery
_LEAST_DRAIN_PERCENT = const(3)  # less is told by noise
_MS_AN_HOUR = const(3_600_000)
_LONGEST_MS = const(100 * 3_600_000)  # ticks in ms wrap after 149 hours, and differ by at most half of that


def percent_of(mv):
    """What a voltage means, 0 to 100."""
    above_mv, above = _CURVE[0]
    if mv >= above_mv:
        return above
    for below_mv, below in _CURVE[1:]:
        if mv >= below_mv:
            return below + (mv - below_mv) * (above - below) // (above_mv - below_mv)
        above_mv, above = below_mv, below
    return 0


class Battery:
    """`read_mv()` measures once, 0 without a battery. `measure` is called every few seconds; between, `mv`, `percent` (None each: not
    known), `low` and `hours_left` (None: not known) are what it found."""

    def __init__(self, read_mv, log):
        self._read_mv = read_mv
        self._log = log
        self._told = False
        self._low_times = 0
        self._since = None  # (time in ms, percent) from which the drain is measured
        self.mv = None
        self.percent = None
        self.low = False
        self.hours_left = None

    def measure(self, on_cable):
        """On the cable it charges: then it is never low, and its drain tells nothing."""
        mv = self._average()
        if mv and not _LEAST_MV <= mv <= _MOST_MV:
            if not self._told:
                self._told = True
                self._log.note("battery: %d mV makes no sense" % mv)
            mv = 0
        self.mv = mv or None
        self.percent = percent_of(mv) if mv else None
        self._judge(mv, on_cable)
        self._measure_drain(on_cable)

    def _average(self):
        """Of some readings without the highest and the lowest; 0 if there is none."""
        readings = sorted([self._read_mv() for _ in range(_READINGS)])[1:-1]
        return sum(readings) // len(readings) if readings[0] else 0

    def _judge(self, mv, on_cable):
        if not mv or on_cable or mv >= _WELL_MV:
            self.low = False
            self._low_times = 0
        elif mv < LOW_MV:
            self._low_times += 1
            self.low = self.low or self._low_times >= _LOW_TIMES
        else:
            self._low_times = 0

    def _measure_drain(self, on_cable):
        now_ms = time.ticks_ms()
        if on_cable or self.percent is None:
            self._since = self.hours_left = None
        elif self._since is None or self.percent > self._since[1]:
            self._since = (now_ms, self.percent)
        else:
            drained = self._since[1] - self.percent
            if time.ticks_diff(now_ms, self._since[0]) > _LONGEST_MS:
                self._since = (now_ms, self.percent)  # before the ticks wrap
                return
            if drained >= _LEAST_DRAIN_PERCENT:
                took_ms = time.ticks_diff(now_ms, self._since[0])
                self.hours_left = self.percent * took_ms // drained // _MS_AN_HOUR
