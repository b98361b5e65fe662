"""The log of the partition `slots`: FORMAT.md, Slots. Loaded when it is needed, and let go."""

import struct
from binascii import crc32

STARTS = 3  # that an application on trial gets
SLOTS = 2

_HEAD, _TRY, _START, _STAY = 1, 2, 3, 4
_CELL = "<2sBBHHII"  # magic, kind, slot, index, 0, generation, CRC-32
_CELL_BYTES, _PAGE_BYTES, _SECTOR_BYTES = 16, 256, 4096
_CELLS = _SECTOR_BYTES // _CELL_BYTES
_ROOM = (
    4 * STARTS + 4
)  # cells that a trial takes at most: whoever opens the log voids one before the first that it writes
_ERASE, _ERROR = 6, 5  # the block protocol's erase; EIO
_BLANK, _ZEROS = b"\xff" * _CELL_BYTES, bytes(_CELL_BYTES)


class Log:
    """The cells, folded: `slot` is what the next start takes, `before` the slot before one that is on trial (else None)."""

    def __init__(self, partition):
        self._partition = partition
        self._cell = bytearray(_CELL_BYTES)
        self._sector, self._generation = 0, 0
        self._next = _CELLS  # no cell is free before there is a head
        self.slot, self.before, self.left = 0, None, 0
        self._open()
        self._suspect = True  # the next cell: it may have been begun when the power went, though it looks blank

    def choose(self):
        """(slot, whether on trial) of this start. What cannot be counted is not tried: it would be for ever."""
        if self.before is None:
            return self.slot, False
        try:
            if self.left > 0:
                self._append(_START, self.slot)
                return self.slot, True
            self._append(_STAY, self.before)
        except OSError:
            pass
        return self.slot if self.before is None else self.before, False

    def try_out(self, slot):
        if self._next + _ROOM >= _CELLS:
            self._move()
        self._append(_TRY, slot)

    def stay(self, slot):
        if self.slot != slot or self.before is not None:
            if self._next + 1 >= _CELLS:
                self._move()
            self._append(_STAY, slot)

    def _open(self):
        """Find the newest sector, fold its cells, and make firm or void what may have been programmed last."""
        for sector in (0, 1):
            head = self._settled(sector, 0)
            if head and head[1] == _HEAD and head[5] > self._generation:
                self._sector, self._generation = sector, head[5]
        if not self._generation:
            return
        last = self._last()
        for index in range(last + 1):
            cell = self._settled(self._sector, index) if index == last else self._valid(self._sector, index)
            if cell and cell[5] == self._generation:
                self._fold(cell[1], cell[2])
        self._next = last + 1

    def _last(self):
        """The place of the last cell that is not blank."""
        last, page = 0, bytearray(_PAGE_BYTES)
        for start in range(0, _SECTOR_BYTES, _PAGE_BYTES):
            self._partition.readblocks(self._sector, page, start)
            for at in range(0, _PAGE_BYTES, _CELL_BYTES):
                if page[at : at + _CELL_BYTES] != _BLANK:
                    last = (start + at) // _CELL_BYTES
        return last

    def _fold(self, kind, slot):
        if kind == _TRY:
            self.slot, self.before, self.left = slot, self.slot, STARTS
        elif kind == _START:
            self.left -= 1
        else:
            self.slot, self.before, self.left = slot, None, 0

    def _append(self, kind, slot):
        """Program a cell, and fold it once it reads back. Raises OSError."""
        if self._suspect and self._next < _CELLS:
            self._program(self._sector, self._next, _ZEROS)
            self._next += 1
        self._suspect = False
        while self._next < _CELLS:
            self._next += 1
            if self._write(self._sector, self._next - 1, kind, slot):
                self._fold(kind, slot)
                return
        raise OSError(_ERROR)

    def _move(self):
        """Go on in the other sector: the head there has what is so now. Until it stands, this sector counts."""
        sector = 1 - self._sector
        self._partition.ioctl(_ERASE, sector)
        self._generation += 1
        if not self._write(sector, 0, _HEAD, self.slot):
            raise OSError(_ERROR)
        self._sector, self._next, self._suspect = sector, 1, False
        self.before, self.left = None, 0

    def _write(self, sector, index, kind, slot):
        """Program a cell; returns whether it reads back. One that does not is void. Twice: the second makes the first firm."""
        cell = struct.pack(_CELL, b"VS", kind, slot, index, 0, self._generation, 0)
        cell = cell[:-4] + struct.pack("<I", crc32(cell[:-4]))
        self._program(sector, index, cell)
        self._program(sector, index, cell)
        self._read(sector, index)
        if self._cell == cell:
            return True
        self._program(sector, index, _ZEROS)
        return False

    def _settled(self, sector, index):
        """A cell's fields, programmed once more, or None: then whatever is there is void."""
        fields = self._valid(sector, index)
        if fields:
            self._program(sector, index, bytes(self._cell))
        elif self._cell != _BLANK and self._cell != _ZEROS:
            self._program(sector, index, _ZEROS)
        return fields

    def _valid(self, sector, index):
        """The fields of a cell, or None if it is none of this place."""
        self._read(sector, index)
        fields = struct.unpack(_CELL, self._cell)
        whole = fields[0] == b"VS" and fields[3] == index and fields[2] < SLOTS
        return fields if whole and fields[6] == crc32(self._cell[:-4]) else None

    def _read(self, sector, index):
        self._partition.readblocks(sector, self._cell, index * _CELL_BYTES)

    def _program(self, sector, index, data):
        self._partition.writeblocks(sector, data, index * _CELL_BYTES)
