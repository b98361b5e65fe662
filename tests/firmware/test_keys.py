"""Keys: bounce is no gesture, a tap is told once, a hold once."""

from card.ui.keys import DEBOUNCE_MS, HOLD, HOLD_MS, POLL_MS, PRESS, RELEASE, TAP, Key

TICKS_PERIOD = 1 << 30


def gestures(levels, start_ms=0):
    """Gestures of a key that reads `levels`, one a poll."""
    key = Key()
    told = [key.step(bool(down), (start_ms + n * POLL_MS) % TICKS_PERIOD) for n, down in enumerate(levels)]
    return [gesture for gesture in told if gesture]


def test_a_tap_is_a_press_and_a_tap_also_across_the_wrap_of_the_ticks():
    for start_ms in (0, TICKS_PERIOD - 45):
        assert gestures([0] * 3 + [1] * 8 + [0] * 5, start_ms) == [PRESS, TAP]


def test_bounce_and_spikes_are_no_gestures():
    assert gestures([0, 1, 0, 1, 0, 0, 1, 0] * 5) == []
    assert gestures([1, 0, 1, 1, 1, 1, 1, 0, 1, 1, 0, 1, 0, 0, 0, 0]) == [PRESS, TAP]


def test_a_hold_is_told_while_held_and_ends_with_a_release():
    polls = HOLD_MS // POLL_MS
    assert gestures([1] * (polls + 10) + [0] * 5) == [PRESS, HOLD, RELEASE]
    assert gestures([1] * (polls - 10) + [0] * 5) == [PRESS, TAP]


def test_a_tap_is_understood_within_50_ms():
    assert DEBOUNCE_MS + 2 * POLL_MS <= 50
