"""Frees sectors: of recordings that a library holds, told before it is done, and of erases that were cut short.

Everything here is a generator that does one erase at a time, only while idle, and may be dropped at any point: what a cut, a
recording that starts or a lost ledger leaves half done is found again and finished."""

from binascii import hexlify

from card.settings import AFTER_DAYS, NEEDED, NEVER
from wire import sector as layout

from . import cells
from .index import SET_ASIDE, UNPREPARED

_DAY_MS = 24 * 3600 * 1000


class Removal:
    """The only code that erases a recording's sectors; every function that yields does so after each erase."""

    def __init__(self, flash, index, ledger, log, boot):
        self._flash = flash
        self._index = index
        self._ledger = ledger
        self._log = log
        self._boot = boot

    def tidy(self, policy, target, copies, days, wall_ms):
        """Finish what was begun, then bring the clean sectors up to `target` as `policy` says: safe recordings, oldest first."""
        yield from self.clean()
        for recording in self._index.dead[:]:
            yield from self._remove(recording, "found dead", 1, wall_ms)
        for recording in self._index.recordings:
            if policy == NEVER or (policy == NEEDED and self._index.clean >= target):
                return
            if policy != AFTER_DAYS or self._is_old(recording, days, wall_ms):
                yield from self._remove(recording, policy, copies, wall_ms)

    def clean(self):
        """Finish what was begun, and erase what nobody owns."""
        entry = self._begun()
        if entry:
            yield from self._finish(entry)
        yield from self._clean_unprepared()

    def hide_begun(self):
        """What was told to be removed is no longer listed: a host must not rely on it, nor revoke what it once proved."""
        entry = self._begun()
        if entry and entry["n"]:
            self._index.hide(entry["n"])

    def _begun(self):
        entry = self._ledger.open_entry()
        return entry if entry and _is_sound(entry, self._flash.sectors) else None

    def _is_old(self, recording, days, wall_ms):
        """Whether a recording has been safe for so many days; never, as long as nobody has told the card the time."""
        sector, _ = self._index.first_of(recording)
        since_ms = cells.read_since(cells.read_cells(self._flash, sector))
        return bool(wall_ms) and since_ms is not None and wall_ms - since_ms >= days * _DAY_MS

    def _clean_unprepared(self):
        """Erase what nobody owns. It is told as well: an erase cut short may leave what looks like somebody's."""
        sectors = self._index.in_state(UNPREPARED)
        if sectors:
            entry = {"n": 0, "nonce": "", "runs": _runs(sectors)}
            if self._tell(entry):
                yield from self._finish(entry)

    def _remove(self, recording, why, copies, wall_ms):
        """Tell, mark dead, clean; the first sector, which carries the marks, comes last. What too few libraries hold is left alone."""
        sectors = self._index.sectors_of(recording)
        head = bytearray(layout.SCAN_BYTES)
        self._flash.read(sectors[0], 0, head)
        header = layout.read_header(head)
        states = cells.read_cells(self._flash, sectors[0])
        safe = layout.find_cell(states, layout.SAFE, 0)
        if header is None or safe is None or len(cells.holders(states)) < copies:
            return
        entry = {
            "n": recording,
            "nonce": hexlify(header.nonce).decode(),
            "digest": hexlify(safe.value).decode(),
            "why": why,
            "boot": self._boot,
            "wall_ms": wall_ms,
            "runs": _runs(sectors),
        }
        if self._tell(entry):
            cells.program_cell(self._flash, sectors[0], layout.DEAD, safe.value)
            self._index.hide(recording)
            yield from self._finish(entry)

    def _tell(self, entry):
        try:
            self._ledger.begin(entry)
        except OSError as error:
            self._log.note("ledger: %r; nothing removed" % error)
            return False
        return True

    def _finish(self, entry):
        """Clean every sector of an open entry that still is the recording's, or nobody's."""
        head = bytearray(layout.SCAN_BYTES)
        for first, count in reversed(entry["runs"]):
            for sector in range(first + count - 1, first - 1, -1):
                self._flash.read(sector, 0, head)
                header = layout.read_header(head)
                if header and hexlify(header.nonce).decode() != entry["nonce"]:
                    continue  # it has a new owner
                if not header and layout.read_marker(head) and self._flash.is_blank(sector, layout.HEADER_AT):
                    continue  # clean already
                self._clean(sector)
                yield
        self._ledger.close(entry)
        if entry["n"]:
            self._index.forget(entry["n"])
            self._log.note("recording %d removed: %s" % (entry["n"], entry["why"]))

    def _clean(self, sector):
        """Void marker and header, erase, check, mark clean: cut anywhere, the sector is never taken for a recording's."""
        buffer = bytearray(layout.SCAN_BYTES)
        self._flash.read(sector, 0, buffer)
        marker = layout.read_marker(buffer)
        self._flash.program(sector, 0, bytes(layout.SCAN_BYTES))
        self._flash.erase(sector)
        erases = marker.erases + 1 if marker else 1
        index = self._index
        layout.pack_marker(buffer, erases, index.highest_recording, max(index.highest_boot, self._boot), index.card)
        blank = self._flash.is_blank(sector, 0)
        if blank and self._flash.program(sector, 0, memoryview(buffer)[: layout.MARKER_BYTES]):
            index.freed(sector)
        else:
            index.give_up(sector, SET_ASIDE)
            self._log.note("sector %d set aside: it does not erase" % sector)


def _runs(sectors):
    """Sector numbers as [first, count] runs, in their order: a recording takes them in turn."""
    runs: list[list[int]] = []
    for sector in sectors:
        if runs and sector == runs[-1][0] + runs[-1][1]:
            runs[-1][1] += 1
        else:
            runs.append([sector, 1])
    return runs


def _is_sound(entry, sectors):
    """Whether an entry that was read from a file can be meant."""
    try:
        runs = [(first, count) for first, count in entry["runs"]]
        named = isinstance(entry["n"], int) and isinstance(entry["nonce"], str) and (not entry["n"] or entry["why"])
        return bool(named) and all(0 <= first and 0 < count and first + count <= sectors for first, count in runs)
    except (KeyError, TypeError, ValueError):
        return False
