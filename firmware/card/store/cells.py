"""State cells of a recording, in its lowest readable sector."""

import struct

from wire import sector as layout


def program_cell(flash, sector, kind, value, library=bytes(3)):
    """Write a cell in the first blank place of its kind; True if one now reads back right."""
    cell = layout.pack_cell(kind, value, library)
    for index in layout.CELLS_OF[kind]:
        at = layout.cell_at(index)
        there = bytearray(layout.CELL_BYTES)
        flash.read(sector, at, there)
        if there == cell:
            return True
        if there != b"\xff" * layout.CELL_BYTES:
            continue
        if flash.program(sector, at, cell):
            return True
        flash.program(sector, at, bytes(layout.CELL_BYTES))
    return False


def program_ended(flash, sector, reason, length_samples):
    """Note the end block's reason and position where a listing finds them at once."""
    return program_cell(flash, sector, layout.ENDED, struct.pack("<B3sI", reason, bytes(3), length_samples))


def read_ended(cells):
    """(reason, length in samples) from a sector's cells, or None while the recording is open."""
    cell = layout.find_cell(cells, layout.ENDED, 0)
    if cell is None:
        return None
    reason, _, length_samples = struct.unpack("<B3sI", cell.value)
    return reason, length_samples


def read_cells(flash, sector):
    """The bytes of a sector's cells, for `layout.find_cell(cells, kind, 0)`."""
    cells = bytearray(layout.CELL_COUNT * layout.CELL_BYTES)
    flash.read(sector, layout.CELLS_AT, cells)
    return cells
