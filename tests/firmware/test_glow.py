"""The screen rests when nobody needs it, and is there again at the first touch, at news, and as long as something is wrong."""

import time

from card.ui.glow import BRIGHT, DARK, DIM, Glow, beat
from emulator import board


def lit(glow, kind, seconds, stays_on=False):
    """The brightness after so many seconds of the same."""
    for _ in range(seconds * 5):
        found = glow.step(kind, stays_on)
        time.sleep_ms(200)
    return found


def test_it_dims_and_goes_dark_and_a_touch_or_news_light_it():
    board.reset()
    glow = Glow()
    assert lit(glow, "idle", 19) == BRIGHT and lit(glow, "idle", 3) == DIM
    assert lit(glow, "idle", 37) == DIM and lit(glow, "idle", 3) == DARK
    assert lit(glow, "idle", 3600 * 24) == DARK, "however the ticks wrap"
    assert glow.step("full", False) == BRIGHT, "news"
    lit(glow, "full", 70)
    glow.touch()
    assert glow.step("full", False) == BRIGHT


def test_what_is_wrong_stays_to_be_seen():
    board.reset()
    assert lit(Glow(), "full", 3600, True) == DIM


def test_the_dot_is_lit_a_tenth_of_the_time():
    board.reset()
    seen = []
    for _ in range(400):
        seen.append(beat()[1])
        time.sleep_ms(100)
    assert sum(seen) == 40
