"""Every state has a pattern of its own, told once when it begins; a flash says that it lasts."""

import time

from card import gestures
from card.ui.signal import PATTERNS, STEP_MS, Signal
from emulator import board


def changes(signal, state, ms):
    """How long it was on and off in turn, in steps of STEP_MS, begun with the first time on."""
    runs = []
    level = False
    for _ in range(ms // STEP_MS):
        found = signal.step(state)
        if found != level:
            runs.append(0)
            level = found
        if runs:
            runs[-1] += STEP_MS
        time.sleep_ms(STEP_MS)
    return runs


def test_every_state_has_a_pattern_and_no_two_the_same():
    states = [
        gestures.IDLE,
        gestures.RECORDING,
        gestures.PAUSED,
        gestures.WITHHELD,
        gestures.MEMO,
        gestures.TRANSFERRING,
    ]
    states += [
        gestures.STORAGE_LOW,
        gestures.STORAGE_FULL,
        gestures.BATTERY_LOW,
        gestures.FAULT,
        gestures.SAFE_MODE,
        gestures.BUSY,
    ]
    assert set(states) <= set(PATTERNS)
    assert len(set(PATTERNS.values())) == len(PATTERNS)


def test_a_pattern_is_long_and_short_as_it_is_written():
    board.reset()
    assert changes(Signal(False), "off the record", 3000)[:-1] == [400, 150, 100, 150, 100]
    assert changes(Signal(False), "busy", 3000) == []


def test_an_led_reminds_of_what_lasts_and_a_motor_does_not():
    board.reset()
    assert changes(Signal(False), "recording", 20_000)[:-1] == [400]
    runs = changes(Signal(True), "recording", 20_000)
    assert runs[0] == 400 and runs[2:8:2] == [STEP_MS] * 3 and 3900 <= runs[3] <= 4100
    assert changes(Signal(True), "idle", 20_000)[:-1] == [100, 150, 100], "nothing goes on"


def test_a_new_state_is_told_at_once():
    board.reset()
    signal = Signal(True)
    changes(signal, "storage full", 500)
    assert changes(signal, "recording", 2000)[:-1] == [400]
