"""The mixture model: for each band two Gaussians of noise and two of speech.

Tables hold the first Gaussian of the six bands, then the second one.
"""

from array import array

from micropython import const

_BANDS = const(6)
_GAUSSIANS = const(12)
_ONE = const(1 << 17)  # 1, Q17
_EXPONENT_LIMIT = const(22005)  # Q10: beyond it the likelihood is 0
_LOG2_E = const(5909)  # log2(e), Q12
_CERTAIN = const(16384)  # 1, Q14

# Weights are Q7, 128 for both Gaussians of a band together; means and deviations are Q7 of a feature.
NOISE_WEIGHTS = bytes((34, 62, 72, 66, 53, 25, 94, 66, 56, 62, 75, 103))
_NOISE_MEANS = (6738, 4892, 7065, 6715, 6771, 3369, 7646, 3863, 7820, 7266, 5020, 4362)
_NOISE_DEVIATIONS = (378, 1064, 493, 582, 688, 593, 474, 697, 475, 688, 421, 455)
SPEECH_WEIGHTS = bytes((48, 82, 45, 87, 50, 47, 80, 46, 83, 41, 78, 81))
_SPEECH_MEANS = (8306, 10085, 10078, 11823, 11843, 6309, 9473, 9571, 10879, 7581, 8180, 7483)
_SPEECH_DEVIATIONS = (555, 505, 567, 524, 585, 1231, 509, 828, 492, 1540, 1079, 850)


class Mixture:
    """One hypothesis: its Gaussians, and what they say of the last frame."""

    def __init__(self, weights, means, deviations, share_of_unlikely):
        self._start = means, deviations
        self._share_of_unlikely = share_of_unlikely
        self._weights = weights
        self.means = array("h", means)  # Q7
        self.deviations = array("h", deviations)  # Q7
        self.deltas = array("h", bytes(2 * _GAUSSIANS))  # (x - mean) / deviation**2, Q11
        self.likelihoods = array("i", bytes(4 * _GAUSSIANS))  # weighted, Q27
        self.shares = array("h", bytes(2 * _GAUSSIANS))  # each Gaussian's part in its band's likelihood, Q14

    def reset(self):
        for n in range(_GAUSSIANS):
            self.means[n] = self._start[0][n]
            self.deviations[n] = self._start[1][n]

    def evaluate(self, features):
        """Set `deltas`, `likelihoods` and `shares` for six features in Q4."""
        likelihoods(features, self.means, self.deviations, self._weights, self.deltas, self.likelihoods)
        shares(self.likelihoods, self._share_of_unlikely, self.shares)


def noise_mixture():
    return Mixture(NOISE_WEIGHTS, _NOISE_MEANS, _NOISE_DEVIATIONS, _CERTAIN)


def speech_mixture():
    return Mixture(SPEECH_WEIGHTS, _SPEECH_MEANS, _SPEECH_DEVIATIONS, 0)


@micropython.viper
def likelihoods(features, means, deviations, weights, deltas, likelihoods):
    """weight / deviation * exp(-(x - mean)**2 / (2 * deviation**2)) of every Gaussian into array('i') `likelihoods`, Q27."""
    x = ptr16(features)
    m = ptr16(means)
    s = ptr16(deviations)
    w = ptr8(weights)
    d = ptr16(deltas)
    p = ptr32(likelihoods)
    for n in range(_GAUSSIANS):
        band = n if n < _BANDS else n - _BANDS
        deviation = int(s[n])
        inverse = (_ONE + (deviation >> 1)) // deviation  # Q17 / Q7 = Q10
        inverse_square = (inverse >> 2) * (inverse >> 2) >> 2  # Q14
        distance = (int(x[band]) << 3) - ((int(m[n]) ^ 0x8000) - 0x8000)  # Q7
        delta = inverse_square * distance >> 10  # Q11
        exponent = delta * distance >> 9  # halved, Q10
        value = 0
        if exponent < _EXPONENT_LIMIT:
            octaves = _LOG2_E * exponent >> 12  # Q10
            value = (0x400 | ((0 - octaves) & 0x3FF)) >> (octaves + 0x3FF >> 10)  # 2**-octaves, linear between, Q10
        d[n] = delta
        p[n] = int(w[n]) * inverse * value


@micropython.viper
def shares(likelihoods, share_of_unlikely: int, shares):
    """Each Gaussian's part in the likelihood of its band; where that is next to nothing the first has `share_of_unlikely`."""
    p = ptr32(likelihoods)
    share = ptr16(shares)
    for band in range(_BANDS):
        total = (int(p[band]) + int(p[band + _BANDS])) >> 12  # Q15
        if total > 0:
            first = (int(p[band]) >> 12 << 14) // total  # Q29 / Q15 = Q14
            share[band] = first
            share[band + _BANDS] = _CERTAIN - first
        else:
            share[band] = share_of_unlikely
            share[band + _BANDS] = 0
