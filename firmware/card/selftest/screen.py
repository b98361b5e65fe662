"""Shows the test card for a while, and answers at once: only its owner can tell what is to be seen."""

import asyncio

from micropython import const

_SHOWN_MS = const(15_000)


async def measure(card):
    from card.ui.test_card import test_card

    if card.has_display:
        card.test_card = test_card
        card.test_card_end = asyncio.create_task(_end(card))
    return {"display": int(bool(card.has_display)), "lines": card.settings["display_lines"]}


async def _end(card):
    await asyncio.sleep_ms(_SHOWN_MS)
    card.test_card = None
