"""A sector of the recordings partition: clean marker, header, state cells. FORMAT.md describes every field.

Packers write into a caller's buffer; readers return a named tuple, or None where the bytes are not (wholly) what they should be.
"""

import struct
from binascii import crc32
from collections import namedtuple

SECTOR_BYTES = 4096
PAGE_BYTES = 256
SCAN_BYTES = 64  # marker and header: what a scan at start reads of each sector
MARKER_AT, MARKER_BYTES = 0, 28
HEADER_AT, HEADER_BYTES = 28, 36
CELLS_AT, CELL_BYTES, CELL_COUNT = 64, 16, 12
CELLS_END = CELLS_AT + CELL_COUNT * CELL_BYTES
BLOCKS_AT = PAGE_BYTES
BLANK = 0xFF

ENDED, SAFE, DEAD, SINCE = b"E", b"S", b"D", b"T"
CELLS_OF = {ENDED: (0, 1), SAFE: (2, 3, 4, 5, 6, 7), DEAD: (8, 9), SINCE: (10, 11)}

_MARKER_MAGIC, _HEADER_MAGIC = b"VCc1", b"VCs1"
_MARKER = "<4sIII8s"
_HEADER = "<4sIHHI8sQ"
_CELL = "<1s3s8s"
_CELLS = "%ds" % (CELL_COUNT * CELL_BYTES)
_BLANK_CELLS = b"\xff" * (CELL_COUNT * CELL_BYTES)

Marker = namedtuple("Marker", ("erases", "recording", "boot", "card"))
Header = namedtuple("Header", ("recording", "number", "boot", "nonce", "ticks_us"))
Cell = namedtuple("Cell", ("kind", "library", "value"))


def _seal(buf, start, end):
    """Put the CRC-32 of buf[start:end] behind it."""
    struct.pack_into("<I", buf, end, crc32(memoryview(buf)[start:end]))


def _sealed(buf, start, end):
    return struct.unpack_from("<I", buf, end)[0] == crc32(memoryview(buf)[start:end])


def field8(text):
    """Text as the eight bytes of a zero-padded field; what is longer is cut."""
    return (text.encode() + bytes(8))[:8]


def text_of(raw):
    """The text of a zero-padded ASCII field; what is not printable ASCII becomes '?'."""
    raw = bytes(raw).split(b"\0")[0]
    return "".join([chr(c) if 32 < c < 127 else "?" for c in raw])


def pack_marker(buf, erases, recording, boot, card):
    """Write a clean marker at the start of a sector buffer. `card` is the card's name (at most 8 ASCII characters)."""
    struct.pack_into(_MARKER, buf, MARKER_AT, _MARKER_MAGIC, erases, recording, boot, field8(card))
    _seal(buf, MARKER_AT, MARKER_AT + MARKER_BYTES - 4)


def read_marker(buf):
    """The Marker at the start of a sector (64 bytes suffice), or None."""
    if not _sealed(buf, MARKER_AT, MARKER_AT + MARKER_BYTES - 4):
        return None
    magic, erases, recording, boot, card = struct.unpack_from(_MARKER, buf, MARKER_AT)
    return Marker(erases, recording, boot, text_of(card)) if magic == _MARKER_MAGIC else None


def pack_header(buf, recording, number, boot, nonce, ticks_us):
    """Write a header at its place in a sector buffer. `nonce` is eight bytes, `number` counts the recording's sectors from 0."""
    struct.pack_into(_HEADER, buf, HEADER_AT, _HEADER_MAGIC, recording, number, 0, boot, nonce, ticks_us)
    _seal(buf, HEADER_AT, HEADER_AT + HEADER_BYTES - 4)


def read_header(buf):
    """The Header of a sector (64 bytes suffice), or None."""
    if not _sealed(buf, HEADER_AT, HEADER_AT + HEADER_BYTES - 4):
        return None
    magic, recording, number, _, boot, nonce, ticks_us = struct.unpack_from(_HEADER, buf, HEADER_AT)
    return Header(recording, number, boot, nonce, ticks_us) if magic == _HEADER_MAGIC else None


def cell_at(index):
    """Offset of state cell `index` (0 to 9) in its sector."""
    return CELLS_AT + index * CELL_BYTES


def pack_cell(kind, value, library=bytes(3)):
    """The 16 bytes of a state cell. `value` is eight bytes, `library` three."""
    cell = bytearray(CELL_BYTES)
    struct.pack_into(_CELL, cell, 0, kind, library, value)
    _seal(cell, 0, CELL_BYTES - 4)
    return cell


def read_cell(buf, at):
    """The Cell at offset `at`, or None if it is blank, torn or revoked."""
    if not _sealed(buf, at, at + CELL_BYTES - 4):
        return None
    kind, library, value = struct.unpack_from(_CELL, buf, at)
    return Cell(kind, library, value) if kind in CELLS_OF else None


def cells_of(buf, kind, cells_at=CELLS_AT):
    """The valid Cells of a kind, in the order of their places. `cells_at` is where the cells start in `buf`."""
    read = [read_cell(buf, cells_at + index * CELL_BYTES) for index in CELLS_OF[kind]]
    return [cell for cell in read if cell and cell.kind == kind]


def find_cell(buf, kind, cells_at=CELLS_AT):
    """The first valid Cell of a kind, or None."""
    found = cells_of(buf, kind, cells_at)
    return found[0] if found else None


def blank_cells(sector):
    """Make the state cells of a sector buffer blank: as the host's file and the digest see it."""
    struct.pack_into(_CELLS, sector, CELLS_AT, _BLANK_CELLS)  # a slice would be made on the heap
