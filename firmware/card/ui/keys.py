"""The keys: debounced by polling, told as presses, taps and holds."""

import asyncio
import time

from micropython import const

POLL_MS = const(10)
DEBOUNCE_MS = const(20)
LONG_MS = const(400)
HOLD_MS = const(1500)
BOTH_MS = const(3000)
STUCK_MS = const(10_000)

PRESS, LONG, TAP, HOLD, RELEASE, STUCK = "press", "long", "tap", "hold", "release", "stuck"
BOTH = "both"  # the name under which all keys together are told


class Key:
    """One key's state. `step` takes what the pin reads now and returns a gesture, or None.

    While it is down it is told at LONG_MS and at HOLD_MS; a tap is told when it comes up before HOLD_MS, a release when after.
    Of two keys that are down together the second counts for nothing, and the first is a tap however long it takes. One that is
    down at the start, and stays so, is stuck: it counts for nothing until it has come up."""

    def __init__(self):
        self.down = False
        self._ignored = False
        self._together = False
        self._seen_up = False
        self._steady_ms = None  # when it was last read as it was
        self._changing = False
        self._pressed_ms = 0
        self._told = PRESS

    def step(self, down, now_ms, other=False):
        """`other`: whether another key is down."""
        if down == self.down:
            self._steady_ms = now_ms
            self._changing = False
            self._seen_up = self._seen_up or not down
            return self._held(now_ms, other) if down else None
        if not self._is_steady(now_ms):
            return None
        self.down = down
        self._changing = False
        return self._press(now_ms, other) if down else self._release()

    def _is_steady(self, now_ms):
        """Whether it has been read as another twice in a row, and not as it was for long enough.

        The time for which an erase kept anybody from looking counts, too: a tap is not much longer."""
        if self._steady_ms is None:
            self._steady_ms = now_ms
        was_changing, self._changing = self._changing, True
        return was_changing and time.ticks_diff(now_ms, self._steady_ms) >= DEBOUNCE_MS

    def ignore(self):
        """What it does until it has come up counts for nothing."""
        self._ignored = True

    def _press(self, now_ms, other):
        self._pressed_ms = now_ms
        self._told = PRESS
        self._together = False
        self._ignored = other or not self._seen_up
        return None if self._ignored else PRESS

    def _release(self):
        self._seen_up = True
        if self._ignored:
            return None
        return RELEASE if self._told == HOLD else TAP

    def _held(self, now_ms, other):
        self._together = self._together or other
        held_ms = time.ticks_diff(now_ms, self._pressed_ms)
        if self._ignored:
            stuck = not self._seen_up and self._told != STUCK and held_ms >= STUCK_MS
            return self._tell(STUCK) if stuck else None
        if self._together:
            return None
        if self._told == PRESS and held_ms >= LONG_MS:
            return self._tell(LONG)
        if self._told == LONG and held_ms >= HOLD_MS:
            return self._tell(HOLD)
        return None

    def _tell(self, gesture):
        self._told = gesture
        return gesture


class Together:
    """All keys as one: held down together for BOTH_MS they are a hold."""

    def __init__(self, keys):
        self._keys = keys
        self._since_ms = None

    def step(self, now_ms):
        for key in self._keys:
            if not key.down:
                self._since_ms = None
                return None
        if self._since_ms is None:
            self._since_ms = now_ms
        if time.ticks_diff(now_ms, self._since_ms) < BOTH_MS:
            return None
        self._since_ms = time.ticks_add(now_ms, STUCK_MS)  # once
        for key in self._keys:
            key.ignore()
        return HOLD


async def watch(pins, on_gesture):
    """Poll {name: pin} for ever; `on_gesture(name, gesture)` is awaited for each gesture."""
    keys = [(name, pin, Key()) for name, pin in pins.items()]
    together = Together([key for _, _, key in keys])
    while True:
        now_ms = time.ticks_ms()
        down = 0
        for _, _, key in keys:
            down += key.down
        for name, pin, key in keys:
            gesture = key.step(not pin.value(), now_ms, down > key.down)
            if gesture:
                await on_gesture(name, gesture)
        gesture = together.step(now_ms)
        if gesture:
            await on_gesture(BOTH, gesture)
        await asyncio.sleep_ms(POLL_MS)
