"""How bright the screen is: it rests when nobody needs it, for OLEDs burn in. Keys act at once also when it is dark."""

import time

from micropython import const

BRIGHT, DIM, DARK = const(2), const(1), const(0)
DIM_MS = const(20_000)
DARK_MS = const(60_000)
BEAT_MS = const(4000)  # of the dot on a dark screen, which is lit for the first BEAT_LIT_MS
BEAT_LIT_MS = const(400)
CONTRASTS = (1, 1, 0xCF)


class Glow:
    """`step` is told what is to be seen; what is new, and each touch of a key, lights the screen again."""

    def __init__(self):
        self._kind = None
        self._since_ms = time.ticks_ms()
        self._rests = False

    def touch(self):
        self._since_ms = time.ticks_ms()
        self._rests = False

    def step(self, kind, stays_on):
        """The brightness now. `kind`: what is shown, as far as it is news when it changes; `stays_on`: it never goes dark."""
        if kind != self._kind:
            self._kind = kind
            self.touch()
        shown_ms = time.ticks_diff(time.ticks_ms(), self._since_ms)
        self._rests = self._rests or shown_ms >= DARK_MS  # ticks wrap
        if self._rests:
            return DIM if stays_on else DARK
        return DIM if shown_ms >= DIM_MS else BRIGHT


def beat():
    """(which beat it is, whether its dot is lit now)."""
    now_ms = int(time.ticks_ms())  # type: ignore[call-overload]
    return now_ms // BEAT_MS, now_ms % BEAT_MS < BEAT_LIT_MS
