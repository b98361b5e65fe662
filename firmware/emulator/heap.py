"""The board's hardware needs no heap: what stands in for it works while the card has locked its heap."""

from micropython import heap_lock, heap_unlock
from uctypes import addressof


def release():
    """Unlock the heap however often it is locked; returns that number for `restore`."""
    heap_lock()
    depth = heap_unlock()
    for _ in range(depth):
        heap_unlock()
    return depth


def restore(depth):
    for _ in range(depth):
        heap_lock()


def byte_length(buf):
    """Size of any buffer in bytes, without a copy: `len` counts the items, and only their addresses say how large they are."""
    if isinstance(buf, (bytes, bytearray)):
        return len(buf)
    view = memoryview(buf)
    return len(view) * (addressof(view[1:]) - addressof(view)) if view else 0
