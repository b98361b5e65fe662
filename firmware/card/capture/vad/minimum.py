"""The quietest that each band has been of late: where the noise is, whatever the decisions were."""

from array import array

from micropython import const

_BANDS = const(6)
_KEPT = const(16)  # smallest values kept of a band
_MAX_AGE = const(100)  # frames
_NOTHING = const(10000)  # above every feature
_START = const(1600)  # Q4
_FALLING = const(6553)  # 0.2, Q15
_RISING = const(32439)  # 0.99, Q15
_ONE = const(32767)  # Q15


class MinimumTracker:
    """The 16 smallest features of the last 100 frames and their smoothed third smallest, for each band."""

    def __init__(self):
        self._values = array("h", bytes(2 * _BANDS * _KEPT))  # Q4, ascending in each band
        self._ages = array("h", bytes(2 * _BANDS * _KEPT))  # frames
        self._frames = 0  # counts to 3
        self.minima = array("h", bytes(2 * _BANDS))  # Q4
        self.reset()

    def reset(self):
        for n in range(_BANDS * _KEPT):
            self._values[n] = _NOTHING
            self._ages[n] = 0
        for n in range(_BANDS):
            self.minima[n] = _START
        self._frames = 0

    def track(self, features):
        """Take six features in Q4 and move `minima`."""
        keep_smallest(features, self._values, self._ages)
        smooth(self._values, self._frames, self.minima)
        if self._frames < 3:
            self._frames += 1


@micropython.viper
def keep_smallest(features, values, ages):
    """Age what is kept, drop what is too old, and insert the new features where they are small enough."""
    x = ptr16(features)
    value = ptr16(values)
    age = ptr16(ages)
    for band in range(_BANDS):
        start = band * _KEPT
        last = start + _KEPT - 1
        for i in range(start, last + 1):
            if int(age[i]) != _MAX_AGE:
                age[i] = int(age[i]) + 1
            else:
                for j in range(i, last):  # what moves here is not aged this time, as in the original
                    value[j] = int(value[j + 1])
                    age[j] = int(age[j + 1])
                value[last] = _NOTHING
                age[last] = _MAX_AGE + 1
        feature = int(x[band])
        if feature < int(value[last]):
            i = last
            while i > start and feature < int(value[i - 1]):
                value[i] = int(value[i - 1])
                age[i] = int(age[i - 1])
                i -= 1
            value[i] = feature
            age[i] = 1


@micropython.viper
def smooth(values, frames: int, minima):
    """Follow the third smallest value of each band: down within a few frames, up within a few hundred."""
    value = ptr16(values)
    minimum = ptr16(minima)
    for band in range(_BANDS):
        smallest = _START
        if frames > 2:
            smallest = int(value[band * _KEPT + 2])
        elif frames > 0:
            smallest = int(value[band * _KEPT])
        old = int(minimum[band])
        inertia = 0
        if frames > 0:
            inertia = _FALLING if smallest < old else _RISING
        minimum[band] = ((inertia + 1) * old + (_ONE - inertia) * smallest + 16384) >> 15
