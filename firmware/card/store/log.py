"""The sector log: the recordings on the card, and the only ways to change them."""

import os
from hashlib import sha256

from micropython import const

from card.errors import CardError, NotPrepared
from card.late import Late
from wire import block, message
from wire import sector as layout

from . import cells
from .flash import Flash
from .index import Index
from .ledger import Ledger
from .removal import Removal
from .writer import RESERVED_SECTORS, Writer

_BYTES_A_SECOND = const(8533)  # a page of 256 bytes every 30 ms
_ENCRYPTED = const(5)  # in a partition's info: repeated programs of a page would not hold


class SectorLog:
    """Opens a partition and closes what a power cut left open; without `recover` nothing is written.

    `copies` libraries must hold a recording before it is safe. Raises NotPrepared if no sector carries a marker."""

    def __init__(self, partition, clock, log, boot_hint=0, ledger_folder="", recover=True):
        if partition.info()[_ENCRYPTED]:
            raise NotPrepared("the partition is encrypted")
        self._flash = Flash(partition)
        self._clock = clock
        self._index = Index(self._flash)
        if not self._index.card:
            raise NotPrepared("flash is not prepared")
        self.boot = max(self._index.highest_boot, boot_hint) + 1
        self.copies = 1
        self.closed_recordings = 0  # after a power cut, in this start
        self._running = None  # the recording that runs now
        self._unclosed = set()  # what a power cut left open, without `recover`
        self._ends = {}  # (reason, length in samples) of recordings whose cells no longer take it
        self._ledger = Ledger(ledger_folder)
        self._removal = Removal(self._flash, self._index, self._ledger, log, self.boot)
        with Late("card.store.recovery") as recovery:
            self._look_for_cuts(recovery, log if recover else None)

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
    def set_aside_sectors(self):
        return self._index.set_aside_sectors

    @property
    def erases(self):
        return self._flash.erases

    @property
    def longest_stall_us(self):
        return self._flash.longest_stall_us

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
        return recording == self._running or recording in self._unclosed

    def begin(self):
        """A Writer for a new recording, and its number. Raises StorageFull when not even its first sector can be taken."""
        recording = self._index.highest_recording + 1
        seed = b"%d %d " % (self.boot, self._clock.us()) + os.urandom(8)
        nonce = sha256(seed).digest()[:8]
        self._running = recording
        return Writer(self._flash, self._index, recording, self.boot, nonce, self._clock)

    def finished(self, reason, length_samples):
        """The running recording has its end block: note that in its first sector."""
        recording, self._running = self._running, None
        if recording in self._index.recordings:
            sector, _ = self._index.first_of(recording)
            cells.program_ended(self._flash, sector, reason, length_samples)
        self._index.generation += 1

    def entry(self, recording, library=None):
        """The listing entry of a recording, as a library sees it; its length is 0 while it is open or unknown."""
        sector, count = self._index.first_of(recording)
        head = bytearray(layout.SCAN_BYTES)
        self._flash.read(sector, 0, head)
        header = layout.read_header(head)
        if header is None:
            raise CardError("sector %d no longer reads" % sector)
        states = cells.read_cells(self._flash, sector)
        is_open = self.is_open(recording)
        reason, length = cells.read_ended(states) or self._ends.get(recording, (block.END_NONE, 0))
        holders = cells.holders(states)
        flags = 0 if is_open else message.LISTED_ENDED
        if len(holders) >= self.copies:
            flags |= message.LISTED_SAFE
        if library in holders:
            flags |= message.LISTED_MINE
        if header.number:
            flags |= message.LISTED_HEADLESS
        return message.Entry(header.nonce, recording, header.boot, length, count, flags, reason, len(holders))

    def read_sector(self, sector, buffer):
        """A sector as the host's file has it: its state cells read as blank."""
        self._flash.read(sector, 0, buffer)
        layout.blank_cells(buffer)

    def mark_safe(self, recording, digest, library):
        """Note that a library holds the recording. `digest` is its SHA-256, found equal; True if the cell reads back right."""
        sector, _ = self._index.first_of(recording)
        done = cells.program_cell(self._flash, sector, layout.SAFE, digest[:8], library)
        if done and self._is_safe(sector) and self._clock.wall_ms():
            cells.program_since(self._flash, sector, self._clock.wall_ms())
        self._index.generation += 1
        return done

    def _is_safe(self, sector):
        return len(cells.holders(cells.read_cells(self._flash, sector))) >= self.copies

    def revoke(self, recording, library):
        """A library does not hold the recording any more; True if no cell says so any longer."""
        sector, _ = self._index.first_of(recording)
        self._index.generation += 1
        return cells.revoke(self._flash, sector, library)

    def tidy(self, policy, pool_percent, days=0):
        """Finish removals and erases that were begun, and make room by `policy`; a generator that yields after each erase."""
        target = self.sectors * pool_percent // 100
        return self._removal.tidy(policy, target, self.copies, days, self._clock.wall_ms())

    def trial(self, buffer):
        """A Trial of the flash, see trial.py. `buffer` has a sector's size."""
        from .trial import Trial  # seldom wanted

        return Trial(self._flash, self._index, self._removal, buffer)

    def ledger_lines(self, first, count):
        """(number of removals noted, the entries from `first` on, at most `count`), oldest first."""
        return self._ledger.entries(first, count)

    def _look_for_cuts(self, recovery, log):
        """Hide what was being removed; close what was being recorded, or without a `log` remember that it is open."""
        index = self._index
        self._removal.hide_begun()
        if log:
            recovery.sort_torn(self._flash, index)
        for recording in index.recordings:
            sector, _ = index.first_of(recording)
            states = cells.read_cells(self._flash, sector)
            if layout.find_cell(states, layout.DEAD, 0) and layout.find_cell(states, layout.SAFE, 0):
                index.hide(recording)
            elif log:
                self._settle(recovery, recording, sector, states, log)
            elif cells.read_ended(states) is None:
                self._unclosed.add(recording)

    def _settle(self, recovery, recording, sector, states, log):
        """Make firm what may have been programmed last, and close what was being recorded."""
        cells.firm_up(self._flash, sector, states)
        if cells.read_ended(states) is None:
            end = recovery.close(self._flash, self._index, recording, self.boot, self._clock, log)
            self._ends[recording] = end
            self.closed_recordings += 1
