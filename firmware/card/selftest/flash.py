"""Flash times, on clean sectors that are written full, read, and made clean again by the store's own rules."""

import asyncio

from micropython import const

from card.errors import Refused
from wire import message
from wire.sector import SECTOR_BYTES

_SECTORS = const(4)
_REST_MS = const(20)


async def measure(card):
    if not card.store:
        raise Refused(message.FLASH, "this card's flash is not prepared for recordings")
    trial = card.store.trial(card.link.payload[:SECTOR_BYTES])
    for _ in trial.run(_SECTORS):
        await asyncio.sleep_ms(_REST_MS)
    return trial.figures()
