"""The sector log: the recordings on the card, and the only ways to change them."""

import os
from hashlib import sha256

from micropython import const

from card.errors import CardError, NotPrepared
from wire import block, message
from wire import sector as layout

from . import recovery
from .cells import program_cell, program_ended, read_cells, read_ended
from .flash import Flash
from .index import Index
from .ledger import Ledger
from .removal import Removal
from .writer import RESERVED_SECTORS, Writer

_BYTES_A_SECOND = const(8533)  # a page of 256 bytes every 30 ms


class SectorLog:
    """Opens a partition, closes what a power cut left open. Raises NotPrepared if no sector carries a marker."""

    def __init__(self, partition, clock, log, boot_hint=0, ledger_folder=""):
        self._flash = Flash(partition)
        self._clock = clock
        self._log = log
        self._index = Index(self._flash)
        if not self._index.card:
            raise NotPrepared("flash is not prepared")
        self.boot = max(self._index.highest_boot, boot_hint) + 1
        self._open = None  # the recording that runs now
        self._removal = Removal(self._flash, self._index, Ledger(ledger_folder), log, self.boot)
        self._recover()

    @property
    def card(self):
        return self._index.card

    @property
    def generation(self):
        return self._index.generation

    @property
    def sectors(self):
        return self._flash.sectors

    @property
    def clean_sectors(self):
        return self._index.clean

    @property
    def seconds_left(self):
        """Seconds of speech that the clean sectors still take."""
        usable = max(0, self.clean_sectors - RESERVED_SECTORS)
        return usable * (layout.SECTOR_BYTES - layout.BLOCKS_AT) // _BYTES_A_SECOND

    @property
    def recordings(self):
        """Recording numbers, ascending."""
        return self._index.recordings

    def sectors_of(self, recording):
        return self._index.sectors_of(recording)

    def is_open(self, recording):
        return self._open == recording

    def begin(self):
        """A Writer for a new recording, and its number. Raises StorageFull when not even its first sector can be taken."""
        recording = self._index.highest_recording + 1
        seed = b"%d %d " % (self.boot, self._clock.us()) + os.urandom(8)
        nonce = sha256(seed).digest()[:8]
        self._open = recording
        return Writer(self._flash, self._index, recording, self.boot, nonce, self._clock)

    def finished(self, reason, length_samples):
        """The running recording has its end block: note that in its first sector."""
        recording, self._open = self._open, None
        sectors = self._index.sectors_of(recording)
        if sectors:
            program_ended(self._flash, sectors[0], reason, length_samples)
        self._index.generation += 1

    def entry(self, recording):
        """The listing entry of a recording; its length is 0 while it is open or unknown."""
        sectors = self._index.sectors_of(recording)
        head = bytearray(layout.SCAN_BYTES)
        self._flash.read(sectors[0], 0, head)
        header = layout.read_header(head)
        if header is None:
            raise CardError("sector %d no longer reads" % sectors[0])
        cells = read_cells(self._flash, sectors[0])
        ended = read_ended(cells)
        reason, length = ended or (block.END_NONE, 0)
        flags = 0
        if ended:
            flags |= message.LISTED_ENDED
        if layout.find_cell(cells, layout.SAFE, 0):
            flags |= message.LISTED_SAFE
        if header.number:
            flags |= message.LISTED_HEADLESS
        return message.Entry(header.nonce, recording, header.boot, length, len(sectors), flags, reason)

    def read_sector(self, sector, buffer):
        """A sector as the host's file has it: its state cells read as blank."""
        self._flash.read(sector, 0, buffer)
        layout.blank_cells(buffer)

    def mark_safe(self, recording, digest, library):
        """Note that a library holds the recording. `digest` is its SHA-256, found equal; True if the cell reads back right."""
        sectors = self._index.sectors_of(recording)
        done = program_cell(self._flash, sectors[0], layout.SAFE, digest[:8], library)
        self._index.generation += 1
        return done

    def tidy(self, policy, pool_percent):
        """Finish removals and erases that were begun, and make room by `policy`; a generator that yields after each erase."""
        target = self.sectors * pool_percent // 100
        return self._removal.tidy(policy, target, self._clock.wall_ms())

    def _recover(self):
        for recording in self._index.recordings[:]:
            sectors = self._index.sectors_of(recording)
            cells = read_cells(self._flash, sectors[0])
            if layout.find_cell(cells, layout.DEAD, 0) and layout.find_cell(cells, layout.SAFE, 0):
                self._index.hide(recording)
                continue
            if read_ended(cells):
                continue
            ended = self._end_block(sectors[-1])
            if ended:  # the cut came between end block and cell
                program_ended(self._flash, sectors[0], *ended)
            else:
                recovery.recover(self._flash, self._index, recording, self._clock, self._log)

    def _end_block(self, sector):
        """(reason, length in samples) if a sector holds the end block, else None."""
        buffer = bytearray(layout.SECTOR_BYTES)
        self._flash.read(sector, 0, buffer)
        for found in block.walk(buffer):
            if found.kind == block.END:
                return block.read_end(memoryview(buffer)[found.payload_at :]).reason, found.position
        return None
