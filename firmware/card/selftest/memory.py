"""The heap: what is free, and the largest piece of it."""

import gc

from micropython import const

_MOST_BYTES = const(65536)  # nothing on the card needs as much in one piece
_FINEST_BYTES = const(256)


async def measure(card):
    gc.collect()
    return {"free_bytes": gc.mem_free(), "used_bytes": gc.mem_alloc(), "largest_bytes": _largest()}


def _largest():
    low, high = 0, _MOST_BYTES
    while high - low > _FINEST_BYTES:
        middle = (low + high + 1) // 2
        try:
            bytearray(middle)
            low = middle
        except MemoryError:
            high = middle
        gc.collect()
    return high if high == _MOST_BYTES else low
