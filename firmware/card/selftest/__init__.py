"""What a card can measure of the board it runs on: one module a part, loaded when it is asked for and let go afterwards."""

from card.late import Late

PARTS = ("memory", "flash", "sound", "stages", "screen", "keys")


async def measure(card, part):
    """Measure one of PARTS; returns {name: number}. Raises ValueError for another part, OSError if the board fails it."""
    if part not in PARTS:
        raise ValueError(part)
    with Late("card.selftest." + part) as module:
        return await module.measure(card)
