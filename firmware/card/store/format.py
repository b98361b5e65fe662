"""Prepares a partition for recordings: erases all of it, under a new name. What a power cut interrupts is told and taken up again."""

import os

from card.errors import FlashFault
from wire import sector as layout

from .flash import Flash

_PIECE_BYTES = 16  # a state cell


def begin(partition, name, folder=""):
    """Note the new name before anything is erased. Raises OSError when it cannot be noted, FlashFault for flash of the wrong kind."""
    flash = Flash(partition)
    with open(_path(folder) + ".new", "w") as file:
        file.write(name)
    os.rename(_path(folder) + ".new", _path(folder))
    if not _bears_repeated_programs(flash):
        os.remove(_path(folder))
        raise FlashFault("this flash does not bear repeated programs of a page: it cannot hold recordings")


def interrupted(folder=""):
    """The new name, if a format was begun and not finished; else None."""
    try:
        with open(_path(folder)) as file:
            return layout.text_of(file.read(8).encode()) or None
    except (OSError, UnicodeError):
        return None


def erase_all(partition, name, folder=""):
    """Erase and mark every sector; yields the number of sectors done after each one, and forgets the note at the end."""
    flash = Flash(partition)
    head = bytearray(layout.SCAN_BYTES)
    for sector in range(flash.sectors):
        flash.read(sector, 0, head)
        old = layout.read_marker(head)
        flash.erase(sector)
        layout.pack_marker(head, old.erases + 1 if old else 1, 0, 0, name)
        if flash.is_blank(sector, 0):
            flash.program(sector, layout.MARKER_AT, memoryview(head)[: layout.MARKER_BYTES])
        yield sector + 1
    os.remove(_path(folder))


def _bears_repeated_programs(flash):
    """State cells are programmed one by one into a page that holds others: some flash (with ECC, say) does not bear that."""
    flash.erase(0)
    for at in range(0, layout.PAGE_BYTES, _PIECE_BYTES):
        flash.program(0, at, bytes((at,)) * _PIECE_BYTES)
    page = bytearray(layout.PAGE_BYTES)
    flash.read(0, 0, page)
    return all(page[at] == at & ~(_PIECE_BYTES - 1) for at in range(layout.PAGE_BYTES))


def _path(folder):
    return folder + "/formatting"
