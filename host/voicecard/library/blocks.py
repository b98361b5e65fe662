"""The blocks of one sector, also of a damaged one: whatever has its CRC right is found."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any
from zlib import crc32

from voicecard.firmware.wire import block
from voicecard.firmware.wire.sector import BLOCKS_AT, PAGE_BYTES, SECTOR_BYTES

_ALIGNMENT_BYTES = 4
_LENGTH_AT, _CRC_AT = 2, 8
_NOTHING = bytes((block.BLANK, block.VOID))


def blocks_of(raw: bytes) -> tuple[list[Any], bool]:
    """All valid Blocks of a sector (4096 bytes), and whether there is something else among or behind them.

    The card's own rule is that a torn block voids the rest of its sector. A card writes nothing there; but where flash or a
    copy of it was damaged later, good blocks stand behind bad ones."""
    found = list(block.walk(raw))
    end = found[-1].at + block.stride(found[-1].payload_bytes) if found else BLOCKS_AT
    damaged = bool(raw[end:].strip(_NOTHING))
    return (found + list(_search(raw, end)) if damaged else found), damaged


def _search(raw: bytes, at: int) -> Iterator[Any]:
    """Valid blocks from `at` on, tried at every place where one may begin."""
    while at <= SECTOR_BYTES - block.BLOCK_HEADER_BYTES:
        found = _block_at(raw, at)
        if found:
            yield found
        at += block.stride(found.payload_bytes) if found else _ALIGNMENT_BYTES


def _block_at(raw: bytes, at: int) -> Any:
    kind, flags = raw[at], raw[at + 1]
    (payload_bytes,) = struct.unpack_from("<H", raw, at + _LENGTH_AT)
    start = at + block.BLOCK_HEADER_BYTES
    if kind in _NOTHING or start + payload_bytes > at - at % PAGE_BYTES + PAGE_BYTES:
        return None
    position, crc = struct.unpack_from("<II", raw, at + _CRC_AT - 4)
    if crc32(raw[start : start + payload_bytes], crc32(raw[at : at + _CRC_AT])) != crc:
        return None
    return block.Block(kind, flags, position, at, start, payload_bytes)
