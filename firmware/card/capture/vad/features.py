"""From a frame of samples to six features: the log energies of the bands 80-250, 250-500, 500-1k, 1-2k, 2-3k, 3-4k Hz."""

from array import array

from .energy import log_energy
from .filter_bank import HALVING_STATES, HIGH_PASS_STATES, SPLIT_STATES, halve, high_pass, split

BANDS = 6


class FeatureExtractor:
    """The filters' memory over a stream of frames of `frame_samples` samples at 16 kHz."""

    def __init__(self, frame_samples):
        self._count = frame_samples // 2
        self._low = array("h", bytes(2 * self._count))
        self._high = array("h", bytes(self._count))
        self._top = array("h", bytes(self._count // 2))
        self._halving = array("i", bytes(4 * HALVING_STATES))
        self._splits = array("h", bytes(2 * SPLIT_STATES))
        self._high_pass = array("h", bytes(2 * HIGH_PASS_STATES))
        self.features = array("h", bytes(2 * BANDS))  # Q4, from the lowest band on

    def reset(self):
        for states in (self._halving, self._splits, self._high_pass):
            for n in range(len(states)):
                states[n] = 0

    def extract(self, samples):
        """Set `features`; returns the total energy, exact only as far as it decides whether there is any."""
        count, splits, features = self._count, self._splits, self.features
        low, high, top = self._low, self._high, self._top
        halve(samples, count, low, self._halving)
        split(low, count, high, splits, 0)  # below and above 2 kHz
        split(high, count // 2, top, splits, 1)  # at 3 kHz
        total = log_energy(top, count // 4, 5, features, 0)
        total = log_energy(high, count // 4, 4, features, total)
        split(low, count // 2, high, splits, 2)  # at 1 kHz
        total = log_energy(high, count // 4, 3, features, total)
        split(low, count // 4, high, splits, 3)  # at 500 Hz
        total = log_energy(high, count // 8, 2, features, total)
        split(low, count // 8, high, splits, 4)  # at 250 Hz
        total = log_energy(high, count // 16, 1, features, total)
        high_pass(low, count // 16, self._high_pass)
        return log_energy(low, count // 16, 0, features, total)
