"""The board's hardware needs no heap: what stands in for it works while the card has locked its heap."""

from micropython import heap_lock, heap_unlock
from uio import BytesIO


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
    """Size of any buffer in bytes: `len` counts the items, and a memoryview does not say how large its items are."""
    return len(buf) if isinstance(buf, (bytes, bytearray)) else BytesIO(buf).seek(0, 2)
