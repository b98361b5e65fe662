"""How much a frame is amplified: by a fixed gain, or by an automatic one that never clips."""

from micropython import const

from card.settings import AUTO

from .level import FULL_SCALE_Q12

UNITY_Q8 = const(256)
_HIGHEST_Q8 = const(32228)  # 42 dB
_TARGET_Q12 = FULL_SCALE_Q12 * 35 // 100  # speech peaks brought up to here, 9 dB below full scale, are loud enough
_FAR_SHIFT, _NEAR_SHIFT = const(4), const(5)  # 17 dB a second of speech while far below the target, then 9
_FORGET_SHIFT = const(8)  # of speech that was louder: to a third in 8 s


def make_gain(setting):
    """The gain for a setting: a number of dB, or "auto"."""
    return AutoGain() if setting == AUTO else FixedGain(setting)


class FixedGain:
    def __init__(self, gain_db):
        self._gain_q8 = int(UNITY_Q8 * 10 ** (gain_db / 20) + 0.5)

    def for_frame(self, _peak):
        return self._gain_q8

    def learn(self, _speech):
        pass


class AutoGain:
    """Falls at once when a frame would clip; rises slowly, and only on speech, so that a quiet room stays quiet."""

    def __init__(self):
        self._gain_q8 = UNITY_Q8
        self._frame_peak = 0
        self._speech_peak = 0  # the loudest of the last seconds of speech, at 20-bit scale

    def for_frame(self, peak):
        """The gain (Q8) for a frame whose peak, at 20-bit scale, is known."""
        if peak and self._gain_q8 > FULL_SCALE_Q12 // peak:
            self._gain_q8 = max(UNITY_Q8, FULL_SCALE_Q12 // peak)
        self._frame_peak = peak
        return self._gain_q8

    def learn(self, speech):
        """Take in whether that frame was speech."""
        if not speech:
            return
        forgotten = self._speech_peak - (self._speech_peak >> _FORGET_SHIFT)
        self._speech_peak = max(self._frame_peak, forgotten)
        wanted_q8 = _TARGET_Q12 // max(1, self._speech_peak)
        if self._gain_q8 < wanted_q8:
            shift = _FAR_SHIFT if self._gain_q8 < wanted_q8 // 4 else _NEAR_SHIFT
            self._gain_q8 = min(_HIGHEST_Q8, self._gain_q8 + (self._gain_q8 >> shift))
