"""The recordings partition as sectors of 4 KiB: read, program with proof, erase."""

import time

from micropython import const

from wire.sector import PAGE_BYTES, SECTOR_BYTES

_IOCTL_BLOCK_COUNT = const(4)
_IOCTL_BLOCK_SIZE = const(5)
_IOCTL_BLOCK_ERASE = const(6)


class Flash:
    """A partition with ESP32's extended block protocol. Nothing programs more than a page's rest at a time, nothing is believed unread."""

    def __init__(self, partition):
        if partition.ioctl(_IOCTL_BLOCK_SIZE, 0) != SECTOR_BYTES:
            raise ValueError("flash sectors are not 4096 bytes")
        self._partition = partition
        self.sectors = partition.ioctl(_IOCTL_BLOCK_COUNT, 0)
        self.longest_stall_us = 0  # that one program took; erases happen only while idle
        self.last_program_us = self.last_erase_us = 0
        self.erases = 0
        self._proofs = {PAGE_BYTES: bytearray(PAGE_BYTES)}  # a buffer a size: slicing one would allocate in every frame
        self._zeros = bytes(PAGE_BYTES)
        self._blank = b"\xff" * PAGE_BYTES

    def read(self, sector, at, buffer):
        self._partition.readblocks(sector, buffer, at)

    def program(self, sector, at, data):
        """Program `data` (within one page); returns whether flash now reads so."""
        size = len(data)
        if at % PAGE_BYTES + size > PAGE_BYTES:
            raise ValueError("a program may not cross a page")
        start_us = time.ticks_us()
        self._partition.writeblocks(sector, data, at)
        self.last_program_us = time.ticks_diff(time.ticks_us(), start_us)
        self.longest_stall_us = max(self.longest_stall_us, self.last_program_us)
        proof = self._proofs.get(size)
        if proof is None:
            proof = self._proofs[size] = bytearray(size)
        self._partition.readblocks(sector, proof, at)
        return proof == data

    def void(self, sector, at):
        """Zero the rest of the page that `at` lies in: whatever stood there is no block any more."""
        self._partition.writeblocks(sector, memoryview(self._zeros)[: PAGE_BYTES - at % PAGE_BYTES], at)

    def is_blank(self, sector, start):
        """Whether a sector reads 0xFF from `start` on."""
        proof, blank = memoryview(self._proofs[PAGE_BYTES]), memoryview(self._blank)
        at = start
        while at < SECTOR_BYTES:
            size = PAGE_BYTES - at % PAGE_BYTES
            self._partition.readblocks(sector, proof[:size], at)
            if proof[:size] != blank[:size]:
                return False
            at += size
        return True

    def erase(self, sector):
        start_us = time.ticks_us()
        self._partition.ioctl(_IOCTL_BLOCK_ERASE, sector)
        self.last_erase_us = time.ticks_diff(time.ticks_us(), start_us)
        self.erases += 1
