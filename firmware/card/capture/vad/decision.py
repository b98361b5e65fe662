"""From likelihoods to a decision: a likelihood ratio test in each band and over all of them, then hang-over."""

from micropython import const

_BANDS = const(6)
_LONG_RUN = 6  # speech frames in a row, beyond which the hang-over is the long one
_BAND_WEIGHTS = bytes((6, 8, 10, 12, 14, 16))

# For frames of 10, 20 and 30 ms, in modes 0 to 3 (0 keeps most, 3 is the most selective).
_LOCAL_THRESHOLDS = (24, 21, 24), (37, 32, 37), (82, 78, 82), (94, 94, 94)  # log2 ratio of a band, Q2
_GLOBAL_THRESHOLDS = (57, 48, 57), (100, 80, 100), (285, 260, 285), (1100, 1050, 1100)  # weighted sum of log2 ratios
_SHORT_HANG_OVERS = (8, 4, 3), (8, 4, 3), (6, 3, 2), (6, 3, 2)  # frames
_LONG_HANG_OVERS = (14, 7, 5), (14, 7, 5), (9, 5, 3), (9, 5, 3)  # frames


class LikelihoodTest:
    def __init__(self, mode, length):
        self._local = _LOCAL_THRESHOLDS[mode][length]
        self._global = _GLOBAL_THRESHOLDS[mode][length]

    def is_speech(self, noise, speech):
        """Whether the Mixture `speech` explains the frame better than `noise` by more than the thresholds."""
        return speech_is_likelier(noise.likelihoods, speech.likelihoods, self._local, self._global)


class HangOver:
    """Goes on saying speech for some frames after it: more of them after a long run."""

    def __init__(self, mode, length):
        self._short = _SHORT_HANG_OVERS[mode][length]
        self._long = _LONG_HANG_OVERS[mode][length]
        self.reset()

    def reset(self):
        self._run = 0
        self._left = 0

    def step(self, speech):
        if speech:
            self._left = self._long if self._run >= _LONG_RUN else self._short
            self._run = min(self._run + 1, _LONG_RUN)
            return True
        self._run = 0
        if self._left:
            self._left -= 1
            return True
        return False


@micropython.viper
def speech_is_likelier(noise, speech, local_threshold: int, global_threshold: int) -> bool:
    """Likelihoods: array('i') of 12. A ratio's log2 is taken as the difference of the bit lengths."""
    p = ptr32(noise)
    q = ptr32(speech)
    weights = ptr8(_BAND_WEIGHTS)
    found = False
    total = 0
    for band in range(_BANDS):
        ratio = 0
        rest = int(q[band]) + int(q[band + _BANDS])
        while rest:
            rest >>= 1
            ratio += 1
        rest = int(p[band]) + int(p[band + _BANDS])
        while rest:
            rest >>= 1
            ratio -= 1
        if ratio << 2 > local_threshold:
            found = True
        total += ratio * int(weights[band])
    return found or total >= global_threshold
