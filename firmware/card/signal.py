"""What the LED or the motor tells of the card."""

import asyncio

from card import board, gestures, settings
from card.ui.signal import STEP_MS, Signal


async def signal(card):
    """Keep the signal true, if there is one."""
    kind = card.settings["signal"]
    if kind == settings.OFF:
        return
    pin, pattern = board.signal(), Signal(kind == settings.LED)
    while not card.dark:
        pin.value(pattern.step(_state(card)))
        await asyncio.sleep_ms(STEP_MS)
    pin.value(0)


def _state(card):
    """The situation, or what is wrong beside it."""
    if card.session and card.session.hears_nothing:
        return "no sound"
    situation = card.situation
    return "no display" if situation == gestures.IDLE and card.has_display is False else situation
