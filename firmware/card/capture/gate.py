"""The gate: which frames are kept. Pure decisions, no sound in here."""


class LevelDetector:
    """Speech is what stands well above the quietest the room has been. A stand-in for a real voice detector."""

    _RATIO = 4  # 12 dB above the noise floor
    _MARGIN = 24  # absolute sample value below which nothing is speech
    _RISE_FRAMES = 256  # the floor follows a louder room within about 8 s

    def __init__(self):
        self._floor_q8 = 0x7FFF << 8

    def is_speech(self, mean):
        """Whether a frame of this mean absolute level is speech."""
        mean_q8 = mean << 8
        if mean_q8 < self._floor_q8:
            self._floor_q8 = mean_q8
        else:
            self._floor_q8 += (mean_q8 - self._floor_q8) // self._RISE_FRAMES
        return mean > self._RATIO * (self._floor_q8 >> 8) + self._MARGIN


class Gate:
    """Keeps each frame from `pre_roll` frames before speech to `hang_over` frames after it.

    Frames pass through a delay of `pre_roll` frames: `step` takes the decision for the frame that enters the delay and
    says whether the one that leaves it is kept."""

    def __init__(self, pre_roll, hang_over):
        self.pre_roll = pre_roll
        self._reach = pre_roll + hang_over + 1
        self._left = 0

    def step(self, speech):
        if speech:
            self._left = self._reach
        if self._left:
            self._left -= 1
            return True
        return False
