"""State cells of a recording, in its lowest readable sector."""

import struct

from wire import sector as layout

_BLANK = b"\xff" * layout.CELL_BYTES
_ZEROS = bytes(layout.CELL_BYTES)


def program_cell(flash, sector, kind, value, library=bytes(3)):
    """Write a cell in the first blank place of its kind, or once more where it stands; True if one now reads back right."""
    cell = layout.pack_cell(kind, value, library)
    return any(_program(flash, sector, index, cell) for index in layout.CELLS_OF[kind])


def _program(flash, sector, index, cell):
    """Write a cell in that place if it is blank, or holds that cell: it may be torn, and read right by chance."""
    at = layout.cell_at(index)
    there = bytearray(layout.CELL_BYTES)
    flash.read(sector, at, there)
    if there != cell and there != _BLANK:
        return False
    if flash.program(sector, at, cell):
        return True
    flash.program(sector, at, _ZEROS)
    return False


def program_ended(flash, sector, reason, length_samples):
    """Note the end block's reason and position where a listing finds them at once. Twice: the second shows that the first is firm."""
    cell = layout.pack_cell(layout.ENDED, struct.pack("<B3sI", reason, bytes(3), length_samples))
    return any([_program(flash, sector, index, cell) for index in layout.CELLS_OF[layout.ENDED]])


def firm_up(flash, sector, states):
    """Program once more, or void, what may have been programmed last before the power went, in the cells read as `states`."""
    ended = read_ended(states)
    if ended and len(layout.cells_of(states, layout.ENDED, 0)) < len(layout.CELLS_OF[layout.ENDED]):
        program_ended(flash, sector, *ended)
    if read_since(states) is None:  # that comes after a proof
        for index in layout.CELLS_OF[layout.SAFE]:
            _firm_up_safe(flash, sector, index, states)


def _firm_up_safe(flash, sector, index, states):
    start = index * layout.CELL_BYTES
    there = states[start : start + layout.CELL_BYTES]
    if layout.read_cell(states, start):
        flash.program(sector, layout.cell_at(index), there)
    elif any(there) and there != _BLANK:
        flash.program(sector, layout.cell_at(index), _ZEROS)


def read_ended(cells):
    """(reason, length in samples) from a sector's cells, or None while the recording is open."""
    cell = layout.find_cell(cells, layout.ENDED, 0)
    if cell is None:
        return None
    reason, _, length_samples = struct.unpack("<B3sI", cell.value)
    return reason, length_samples


def program_since(flash, sector, wall_ms):
    """Note the Unix time since which enough libraries hold the recording, unless that is noted."""
    if read_since(read_cells(flash, sector)) is None:
        program_cell(flash, sector, layout.SINCE, struct.pack("<Q", wall_ms))


def read_since(cells):
    """Unix time in ms since which the recording is safe, or None."""
    cell = layout.find_cell(cells, layout.SINCE, 0)
    return struct.unpack("<Q", cell.value)[0] if cell else None


def holders(cells):
    """The libraries that hold the recording."""
    return {cell.library for cell in layout.cells_of(cells, layout.SAFE, 0)}


def revoke(flash, sector, library):
    """Zero the cells in which a library says that it holds the recording, and torn ones, which might; True if none is left."""
    states = read_cells(flash, sector)
    for index in layout.CELLS_OF[layout.SAFE]:
        cell = layout.read_cell(states, index * layout.CELL_BYTES)
        blank = states[index * layout.CELL_BYTES : (index + 1) * layout.CELL_BYTES] == _BLANK
        if not blank and (cell is None or cell.library == library):
            flash.program(sector, layout.cell_at(index), _ZEROS)
    return library not in holders(read_cells(flash, sector))


def read_cells(flash, sector):
    """The bytes of a sector's cells, for `layout.find_cell(cells, kind, 0)`."""
    cells = bytearray(layout.CELL_COUNT * layout.CELL_BYTES)
    flash.read(sector, layout.CELLS_AT, cells)
    return cells
