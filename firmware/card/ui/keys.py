"""The keys: debounced by polling, told as presses, taps and holds."""

import asyncio
import time

from micropython import const

POLL_MS = const(10)
DEBOUNCE_MS = const(20)
HOLD_MS = const(1500)

PRESS, TAP, HOLD, RELEASE = "press", "tap", "hold", "release"


class Key:
    """One key's state. `step` takes what the pin reads now and returns a gesture, or None.

    A tap is told when the key comes up before HOLD_MS, a release when it comes up after."""

    def __init__(self):
        self._down = False
        self._changing_ms = None
        self._pressed_ms = 0
        self._held = False

    def step(self, down, now_ms):
        if down == self._down:
            self._changing_ms = None
            return self._hold(now_ms)
        if self._changing_ms is None:
            self._changing_ms = now_ms
        if time.ticks_diff(now_ms, self._changing_ms) < DEBOUNCE_MS:
            return None
        self._down = down
        self._changing_ms = None
        if down:
            self._pressed_ms = now_ms
            self._held = False
            return PRESS
        return RELEASE if self._held else TAP

    def _hold(self, now_ms):
        if self._down and not self._held and time.ticks_diff(now_ms, self._pressed_ms) >= HOLD_MS:
            self._held = True
            return HOLD
        return None


async def watch(pins, on_gesture):
    """Poll {name: pin} for ever; `on_gesture(name, gesture)` is awaited for each gesture."""
    keys = [(name, pin, Key()) for name, pin in pins.items()]
    while True:
        now_ms = time.ticks_ms()
        for name, pin, key in keys:
            gesture = key.step(not pin.value(), now_ms)
            if gesture:
                await on_gesture(name, gesture)
        await asyncio.sleep_ms(POLL_MS)
