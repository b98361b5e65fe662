"""What a card can measure of the board it runs on: one module a part, loaded when it is asked for and let go afterwards."""

import gc
import sys

PARTS = ("memory", "flash", "sound", "stages", "screen", "keys")


async def measure(card, part):
    """Measure one of PARTS; returns {name: number}. Raises ValueError for another part, OSError if the board fails it."""
    if part not in PARTS:
        raise ValueError(part)
    name = "card.selftest." + part
    gc.collect()
    try:
        module = __import__(name, None, None, (part,))
        return await module.measure(card)
    finally:
        sys.modules.pop(name, None)
        globals().pop(part, None)
        gc.collect()
