"""Times of the flash, taken on clean sectors. Whenever it is cut or let go, what it leaves is erased as any half-clean sector is."""

import time

from wire import sector as layout

from .index import UNPREPARED


class Trial:
    """`buffer` of a sector's size is used up. `removal` cleans the sectors afterwards."""

    def __init__(self, flash, index, removal, buffer):
        self._flash, self._index, self._removal, self._buffer = flash, index, removal, buffer
        self._programs = 0
        self._program_us = self._longest_program_us = 0
        self._longest_read_us = self._longest_erase_us = 0
        self._wrong_pages = 0
        self._sectors = 0

    def run(self, sectors):
        """Go through so many clean sectors, those that a recording would take last; a generator that yields after each step."""
        last = self._index.next_sector - 1
        for back in range(self._flash.sectors):
            sector = (last - back) % self._flash.sectors
            if self._sectors < sectors and self._index.is_clean(sector):
                yield from self._try(sector)

    def figures(self):
        """Microseconds, and pages that did not read as they were programmed."""
        return {
            "sectors": self._sectors,
            "program_us": self._program_us // max(1, self._programs),
            "longest_program_us": self._longest_program_us,
            "longest_read_us": self._longest_read_us,
            "longest_erase_us": self._longest_erase_us,
            "wrong_pages": self._wrong_pages,
        }

    def _try(self, sector):
        self._flash.program(sector, 0, bytes(layout.SCAN_BYTES))  # cut from here on, it is found to be nobody's
        self._index.give_up(sector, UNPREPARED)
        self._sectors += 1
        page = self._buffer[: layout.PAGE_BYTES]
        for at in range(layout.PAGE_BYTES, layout.SECTOR_BYTES, layout.PAGE_BYTES):
            for place in range(layout.PAGE_BYTES):
                page[place] = (place + at // layout.PAGE_BYTES + sector) * 151 & 0xFF
            self._wrong_pages += not self._flash.program(sector, at, page)
            self._programs += 1
            self._program_us += self._flash.last_program_us
            self._longest_program_us = max(self._longest_program_us, self._flash.last_program_us)
        yield
        began_us = time.ticks_us()
        self._flash.read(sector, 0, self._buffer)
        self._longest_read_us = max(self._longest_read_us, time.ticks_diff(time.ticks_us(), began_us))
        for _ in self._removal.clean():
            self._longest_erase_us = max(self._longest_erase_us, self._flash.last_erase_us)
            yield
