"""Looks for a few seconds which keys go down and come up again; they do nothing else meanwhile."""

import asyncio
import time

from micropython import const

from card import board
from card.ui import keys

_WINDOW_MS = const(3000)
_MOST_MS = const(4500)  # a key that is down is waited for: what it does must end here
_POLL_MS = const(50)


async def measure(card):
    """By key: how often it was pressed and let go."""
    seen, down = dict.fromkeys(board.KEY_PINS, 0), set()

    def on_key(key, gesture):
        if gesture == keys.PRESS:
            down.add(key)
        elif gesture in (keys.TAP, keys.RELEASE) and key in down:
            down.remove(key)
            seen[key] += 1

    began_ms = time.ticks_ms()
    card.on_key = on_key
    try:
        while time.ticks_diff(time.ticks_ms(), began_ms) < (_MOST_MS if down else _WINDOW_MS):
            if all(seen.values()) and not down:
                break
            await asyncio.sleep_ms(_POLL_MS)
    finally:
        card.on_key = None
    return seen
