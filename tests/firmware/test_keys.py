"""Keys: bounce is no gesture, a tap is told once, a hold once."""

from card.ui.keys import (
    BOTH_MS,
    DEBOUNCE_MS,
    HOLD,
    HOLD_MS,
    LONG,
    LONG_MS,
    POLL_MS,
    PRESS,
    RELEASE,
    STUCK,
    STUCK_MS,
    TAP,
    Key,
    Together,
)

TICKS_PERIOD = 1 << 30


def gestures(levels, start_ms=0):
    """Gestures of a key that reads `levels`, one a poll, after it was seen up."""
    key = Key()
    key.step(False, start_ms)
    told = [key.step(bool(down), (start_ms + n * POLL_MS) % TICKS_PERIOD) for n, down in enumerate(levels)]
    return [gesture for gesture in told if gesture]


def test_a_tap_is_a_press_and_a_tap_also_across_the_wrap_of_the_ticks():
    for start_ms in (0, TICKS_PERIOD - 45):
        assert gestures([0] * 3 + [1] * 8 + [0] * 5, start_ms) == [PRESS, TAP]


def test_bounce_and_spikes_are_no_gestures():
    assert gestures([0, 1, 0, 1, 0, 0, 1, 0] * 5) == []
    assert gestures([1, 0, 1, 1, 1, 1, 1, 0, 1, 1, 0, 1, 0, 0, 0, 0]) == [PRESS, TAP]


def test_a_tap_under_an_erase_is_told():
    """Nobody looks for up to 60 ms: of a tap of 80 ms two polls are left."""
    key = Key()
    assert [key.step(down, ms) for ms, down in ((0, False), (60, True), (70, True), (80, False), (90, False))] == [
        None,
        None,
        PRESS,
        None,
        TAP,
    ]
    key = Key()
    assert [key.step(down, ms) for ms, down in ((0, False), (60, True), (70, False), (80, True), (90, False))] == [
        None
    ] * 5


def test_a_hold_is_told_while_held_and_ends_with_a_release():
    polls = HOLD_MS // POLL_MS
    assert gestures([1] * (polls + 10) + [0] * 5) == [PRESS, LONG, HOLD, RELEASE]
    assert gestures([1] * (polls - 10) + [0] * 5) == [PRESS, LONG, TAP]
    assert gestures([1] * (LONG_MS // POLL_MS - 5) + [0] * 5) == [PRESS, TAP]


def together(rec, memo):
    """What two keys tell whose levels, one a poll, are these: (name, gesture)."""
    keys = [Key(), Key()]
    both, told = Together(keys), []
    for n, levels in enumerate(zip([0] + rec, [0] + memo)):
        others = keys[1].down, keys[0].down
        for key, name, down, other in zip(keys, ("rec", "memo"), levels, others):
            told.append((name, key.step(bool(down), n * POLL_MS, other)))
        told.append(("both", both.step(n * POLL_MS)))
    return [(name, gesture) for name, gesture in told if gesture]


def test_two_keys_together_are_one_hold_and_nothing_else():
    long = BOTH_MS // POLL_MS + 20
    assert together([1] * long + [0] * 9, [0] * 5 + [1] * long + [0] * 4) == [("rec", PRESS), ("both", HOLD)]
    longer = long + STUCK_MS // POLL_MS // 2
    assert together([1] * longer + [0] * 9, [1] * longer + [0] * 9).count(("both", HOLD)) == 1


def test_a_second_key_that_is_touched_does_not_take_the_first_ones_tap_away():
    assert together([1] * 30 + [0] * 9, [0] * 9 + [1] * 9 + [0] * 21) == [("rec", PRESS), ("rec", TAP)]
    assert together([0] * 5 + [1] * 200 + [0] * 9, [1] * 200 + [0] * 14) == [("memo", PRESS), ("memo", TAP)]


def test_a_key_that_is_down_from_the_start_is_told_once_and_counts_for_nothing_until_it_comes_up():
    key, told = Key(), []
    levels = [1] * (STUCK_MS // POLL_MS * 3) + [0] * 5 + [1] * 8 + [0] * 5
    for n, down in enumerate(levels):
        told.append(key.step(bool(down), n * POLL_MS))
    assert [gesture for gesture in told if gesture] == [STUCK, PRESS, TAP]


def test_a_tap_is_understood_within_50_ms():
    assert DEBOUNCE_MS + 2 * POLL_MS <= 50
