"""The flash: NOR cells in partitions, with the part's prices. Programs clear bits, an erase sets a 4 KiB sector."""

import struct

from emulator import board, heap
from emulator.nor import PAGE_BYTES, SECTOR_BYTES, SLICE_BYTES, FileCells

TABLE_AT, TABLE_ENTRIES, ENTRY_BYTES = 0x8000, 95, 32
_ENTRY_MAGIC = 0x50AA

READ_US, READ_BYTES_PER_US = 50, 10
PROGRAM_US, WORST_PROGRAM_US = 200, 3_000  # a slice
ERASE_US, WORST_ERASE_US = 45_000, 400_000  # a sector

_INVALID_ARGUMENT = -0x102, "ESP_ERR_INVALID_ARG"
_INVALID_SIZE = -0x104, "ESP_ERR_INVALID_SIZE"


class Region:
    """One entry of the partition table, and what was done to it."""

    def __init__(self, entry):
        _, self.type, self.subtype, self.address, self.size, label, flags = struct.unpack("<HBBII16sI", entry)
        self.label = label.split(b"\0")[0].decode()
        self.encrypted = bool(flags & 1)
        self.counts = {
            "reads": 0,
            "read_bytes": 0,
            "programs": 0,
            "program_bytes": 0,
            "largest_program": 0,
            "page_crossings": 0,
            "erases": 0,
        }


class Flash:
    """`cells`: a function of the world's noise that makes them, or the path of an image file. `cut_at`: None, or (number of the
    program or erase, from 1; "before", "mid" or "after"). `log`: called with (kind, label, offset, size, time in µs) for each
    operation, or None. Once `powered` is False every call loses the power again: nothing of the card may run any more."""

    def __init__(self, world, cells, worst_case=False, cut_at=None, log=None):
        self.cells = FileCells(cells, world.noise) if isinstance(cells, str) else cells(world.noise)
        self.operations = 0  # programs and erases so far
        self.powered = True
        self._world = world
        self._program_us = WORST_PROGRAM_US if worst_case else PROGRAM_US
        self._erase_us = WORST_ERASE_US if worst_case else ERASE_US
        self._cut_at = cut_at
        self._log = log
        self.regions = self._read_table()

    def _read_table(self):
        table = bytearray(TABLE_ENTRIES * ENTRY_BYTES)
        self.cells.load(TABLE_AT, table, len(table))
        entries = [table[i : i + ENTRY_BYTES] for i in range(0, len(table), ENTRY_BYTES)]
        return [Region(entry) for entry in entries if struct.unpack_from("<H", entry)[0] == _ENTRY_MAGIC]

    def read(self, region, offset, buf):
        size = heap.byte_length(buf)
        _check(region, offset, size)
        region.counts["reads"] += 1
        region.counts["read_bytes"] += size
        self._note("read", region, offset, size)
        self._world.spend(READ_US + size // READ_BYTES_PER_US)
        self._need_power()
        self.cells.read(region.address + offset, buf, size)

    def program(self, region, offset, buf):
        """Clear the bits that are clear in `buf`, slice by slice."""
        size = heap.byte_length(buf)
        _check(region, offset, size)
        counts = region.counts
        counts["programs"] += 1
        counts["program_bytes"] += size
        counts["largest_program"] = max(counts["largest_program"], size)
        if size and offset // PAGE_BYTES != (offset + size - 1) // PAGE_BYTES:
            counts["page_crossings"] += 1
        self._note("program", region, offset, size)
        phase = self._begin()
        address = region.address + offset
        self._world.stall(self._program_us * _slices(address, size))
        if phase == "mid":
            self.cells.tear_program(address, buf, size, self._world.noise)
        else:
            self.cells.program(address, buf, size)
        self._end(phase)

    def erase(self, region, offset, size):
        """Set every bit of whole sectors; interrupts come through between two sectors."""
        if offset > region.size:
            raise OSError(*_INVALID_ARGUMENT)
        if offset + size > region.size or size % SECTOR_BYTES:
            raise OSError(*_INVALID_SIZE)
        if offset % SECTOR_BYTES:
            raise OSError(*_INVALID_ARGUMENT)
        for sector in range(offset, offset + size, SECTOR_BYTES):
            region.counts["erases"] += 1
            self._note("erase", region, sector, SECTOR_BYTES)
            phase = self._begin()
            self._world.stall(self._erase_us)
            if phase == "mid":
                self.cells.tear_erase(region.address + sector, self._world.noise)
            else:
                self.cells.erase(region.address + sector)
            self._end(phase)

    def _note(self, kind, region, offset, size):
        if self._log:
            self._log(kind, region.label, offset, size, self._world.now_us)

    def _need_power(self):
        if not self.powered:
            board.power_off("cut")

    def _begin(self):
        """Count an operation; returns the phase at which it shall be cut, if it is that one."""
        self._need_power()
        self.operations += 1
        phase = self._cut_at[1] if self._cut_at and self._cut_at[0] == self.operations else None
        if phase == "before":
            self._cut()
        return phase

    def _end(self, phase):
        if phase:
            self._cut()

    def _cut(self):
        self.powered = False
        board.power_off("cut")


def _slices(address, size):
    """The number of slices of a program."""
    first = min(size, PAGE_BYTES - address % PAGE_BYTES)
    pages, last = divmod(size - first, PAGE_BYTES)
    return _in_slices(first) + pages * (PAGE_BYTES // SLICE_BYTES) + _in_slices(last)


def _in_slices(size):
    return (size + SLICE_BYTES - 1) // SLICE_BYTES


def _check(region, offset, size):
    if offset < 0 or offset > region.size:
        raise OSError(*_INVALID_ARGUMENT)
    if offset + size > region.size:
        raise OSError(*_INVALID_SIZE)


class Partition:
    """esp32.Partition as in ports/esp32/esp32_partition.c."""

    TYPE_APP, TYPE_DATA = 0, 1
    BOOT, RUNNING = 0, 1

    def __init__(self, label, block_size=SECTOR_BYTES):
        if not isinstance(label, str):
            raise ValueError
        for region in board.flash.regions:
            if region.label == label:
                self._region = region
                self._block_bytes = block_size
                return
        raise OSError(2)

    @staticmethod
    def find(type=TYPE_APP, subtype=0xFF, label=None, block_size=SECTOR_BYTES):
        return [
            Partition(region.label, block_size)
            for region in board.flash.regions
            if region.type == type and subtype in (0xFF, region.subtype) and label in (None, region.label)
        ]

    def info(self):
        """(type, subtype, address, size, label, encrypted)"""
        region = self._region
        return region.type, region.subtype, region.address, region.size, region.label, region.encrypted

    def readblocks(self, block, buf, offset=0):
        depth = heap.release()
        try:
            board.flash.read(self._region, block * self._block_bytes + offset, buf)
        finally:
            heap.restore(depth)

    def writeblocks(self, block, buf, offset=None):
        """Two arguments: erase, then program. Three: program only."""
        depth = heap.release()
        try:
            start = block * self._block_bytes
            if offset is None:
                board.flash.erase(self._region, start, heap.byte_length(buf))
            board.flash.program(self._region, start + (offset or 0), buf)
        finally:
            heap.restore(depth)

    def ioctl(self, command, argument):
        if command in (1, 2, 3):  # init, deinit, sync
            return 0
        if command == 4:
            return self._region.size // self._block_bytes
        if command == 5:
            return self._block_bytes
        if command == 6:
            board.flash.erase(self._region, argument * self._block_bytes, self._block_bytes)
            return 0
        return None
