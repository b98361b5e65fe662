"""The gate: which frames are kept. Pure decisions, no sound in here."""


class Gate:
    """Keeps each frame from `pre_roll` frames before speech to `hang_over` frames after it.

    Frames pass through a delay of `pre_roll` frames: `step` takes the decision for the frame that enters the delay and
    says whether the one that leaves it is kept."""

    def __init__(self, pre_roll, hang_over):
        self._reach = pre_roll + hang_over + 1
        self._left = 0

    def step(self, speech):
        if speech:
            self._left = self._reach
        if self._left:
            self._left -= 1
            return True
        return False
