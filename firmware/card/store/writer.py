"""Writes one recording into the log: sectors taken in turn, blocks appended, the end told twice."""

import struct

from micropython import const

from card.errors import FlashFault, StorageFull
from wire import block
from wire import sector as layout

from .index import SET_ASIDE, UNPREPARED

RESERVED_SECTORS = const(4)  # kept back for closing a recording that a power cut left open
_PAGE = layout.PAGE_BYTES
_ATTEMPTS = const(3)


class Writer:
    """The recorder's sink. Raises StorageFull when a block needs a sector that is not to be had.

    `prepare`, called between frames, looks for the next sector ahead, so that no frame waits for it or allocates."""

    def __init__(self, flash, index, recording, boot, nonce, clock, first_number=0, reserve=RESERVED_SECTORS):
        self._flash = flash
        self._index = index
        self._clock = clock
        self.recording, self._boot, self._nonce = recording, boot, nonce
        self._number = first_number
        self._reserve = reserve
        self._sector = None
        self._next = None  # a clean sector, found blank, whose header stands in `_header`
        self._at = layout.SECTOR_BYTES  # full: the first block takes a sector
        self._header = bytearray(
            layout.SCAN_BYTES
        )  # behind the sector's marker, which is programmed once more: it is part of the file

    def audio(self, page):
        """Append an audio block, which fills a page of its own."""
        self._append(page, (self._at + _PAGE - 1) // _PAGE * _PAGE)

    def append(self, data):
        """Append any other block: behind the last one if the page has room, else in the next page."""
        room = -self._at % _PAGE or _PAGE
        self._append(data, self._at if len(data) <= room else self._at + room)

    def prepare(self):
        """Make the next sector ready if it is not. Raises StorageFull when there is none."""
        if self._next is not None:
            return
        while True:
            if self._index.clean <= self._reserve:
                raise StorageFull("no clean sector is left")
            sector = self._index.next_sector
            while not self._index.is_clean(sector):
                sector = (sector + 1) % self._flash.sectors
            if self._index.next_is_suspect:
                self._index.next_is_suspect = False
                self._give_up(sector)
            elif not self._flash.is_blank(sector, layout.HEADER_AT):
                self._index.give_up(sector, SET_ASIDE)
            else:
                self._flash.read(sector, 0, self._header)
                if layout.read_marker(self._header):
                    break
                self._give_up(sector)  # it read well at the start
        layout.pack_header(self._header, self.recording, self._number, self._boot, self._nonce, self._clock.us())
        self._next = sector

    def _give_up(self, sector):
        self._flash.program(sector, 0, bytes(layout.SCAN_BYTES))
        self._index.give_up(sector, UNPREPARED)

    def end(self, position, reason, kept_samples, lost_samples, marks):
        """Write the end block, which alone ends the recording; the reserve is there for it."""
        self._reserve = 0
        end = block.pack_end(block.End(reason, kept_samples, lost_samples, marks))
        self.append(block.pack_block(block.END, position, end))

    def _append(self, data, at):
        worn = None
        for _ in range(_ATTEMPTS):
            if at + len(data) > layout.SECTOR_BYTES:
                self._next_sector()
                at = layout.BLOCKS_AT
            if self._flash.program(self._sector, at, data):
                self._at = at + len(data)
                if worn is not None:
                    self._tell_worn(worn, data)
                return
            worn = self._sector
            self._flash.void(worn, at)
            at = layout.SECTOR_BYTES
        raise FlashFault("flash does not keep what is written")

    def _tell_worn(self, sector, data):
        """Put into the file that a sector did not keep `data`, which has found another place."""
        (position,) = struct.unpack_from("<I", data, 4)
        event = block.pack_event(block.Event(block.EVENT_PAGE_REWRITTEN, sector, 0))
        self.append(block.pack_block(block.EVENT, position, event))

    def _next_sector(self):
        """Take the next clean sector round the partition; one that does not keep its header is set aside."""
        while True:
            self.prepare()
            sector, self._next = self._next, None
            if self._flash.program(sector, 0, self._header):
                break
            self._flash.void(sector, 0)  # or it might read as this recording's after a restart
            self._index.give_up(sector, SET_ASIDE)
        self._index.take(sector, self.recording, self._number)
        self._number += 1
        self._sector = sector
