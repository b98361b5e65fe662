"""What the sectors hold, in packed arrays: built by one pass over their first 64 bytes at start."""

from array import array

from micropython import const

from wire import sector as layout

UNPREPARED = const(0)  # no valid marker and no header, or given up: to be erased before use
CLEAN = const(1)
SET_ASIDE = const(2)  # makes no sense: left alone
TORN = const(3)  # neither: perhaps its header was being written, or given up, when the power went
_NOBODY = const(0)


class Index:
    """Owner and state of every sector; the recordings in order; the highest numbers ever used.

    Six bytes a sector and four a recording: 22 kB for 16 MB with 500 recordings."""

    def __init__(self, flash):
        self._flash = flash
        self._owners = array("I", bytes(4 * flash.sectors))  # recording numbers, or _NOBODY
        self._numbers = array("H", bytes(2 * flash.sectors))  # within the recording; nobody's: the state
        self._firsts = array("H")  # of each recording its lowest sector, in the order of the recordings
        self._counts = array("H")  # of each recording its sectors
        self.card = ""
        self.highest_recording = 0
        self.highest_boot = 0
        self.generation = 0
        self.clean = 0
        self.set_aside_sectors = 0
        self.dead = []  # recordings whose removal was begun
        self.next_sector = 0  # the writer goes on here, round the partition
        self.next_is_suspect = (
            True  # since a start: the power may have gone while its header was begun, though it looks blank
        )
        self._scan()

    def _scan(self):
        newest = (0, -1)
        head = bytearray(layout.SCAN_BYTES)
        for sector in range(self._flash.sectors):
            self._flash.read(sector, 0, head)
            marker = layout.read_marker(head)
            header = layout.read_header(head)
            if marker:
                self.card = self.card or marker.card
                self._remember(marker)
            if header:
                self._remember(header)
                self._own(sector, header.recording, header.number)
                if (header.recording, header.number) > newest:
                    newest = (header.recording, header.number)
                    self.next_sector = (sector + 1) % self._flash.sectors
            else:
                self._set_state(sector, _state(head, marker))

    def _remember(self, told):
        self.highest_recording = max(self.highest_recording, told.recording)
        self.highest_boot = max(self.highest_boot, told.boot)

    def _own(self, sector, recording, number):
        self._owners[sector] = recording
        self._numbers[sector] = number
        place = self._place(recording)
        if not self._is_at(place, recording):
            self._firsts[place:place] = array("H", (sector,))
            self._counts[place:place] = array("H", (0,))
        elif number < self._numbers[self._firsts[place]]:
            self._firsts[place] = sector
        self._counts[place] += 1

    def _set_state(self, sector, state):
        if self._owners[sector] == _NOBODY:
            self._count(self._numbers[sector], -1)
        self._count(state, 1)
        self._owners[sector] = _NOBODY
        self._numbers[sector] = state

    def _count(self, state, change):
        if state == CLEAN:
            self.clean += change
        elif state == SET_ASIDE:
            self.set_aside_sectors += change

    def _place(self, recording):
        """Where a recording stands among the others, or would."""
        low, high = 0, len(self._firsts)
        if high and self._owners[self._firsts[high - 1]] < recording:
            return high  # the usual case: sectors are taken in turn
        while low < high:
            middle = (low + high) // 2
            if self._owners[self._firsts[middle]] < recording:
                low = middle + 1
            else:
                high = middle
        return low

    def _is_at(self, place, recording):
        return place < len(self._firsts) and self._owners[self._firsts[place]] == recording

    @property
    def recordings(self):
        """The numbers of all recordings, ascending, in a new list."""
        return [self._owners[sector] for sector in self._firsts]

    def first_of(self, recording):
        """(lowest sector, number of sectors) of a recording. Raises KeyError if it is not there."""
        place = self._place(recording)
        if not self._is_at(place, recording):
            raise KeyError(recording)
        return self._firsts[place], self._counts[place]

    def sectors_of(self, recording):
        """The recording's readable sectors, in the order of their numbers."""
        sectors = [s for s in range(len(self._owners)) if self._owners[s] == recording]
        sectors.sort(key=lambda sector: self._numbers[sector])  # without a copy: a day's recording has thousands
        return sectors

    def is_clean(self, sector):
        return self._owners[sector] == _NOBODY and self._numbers[sector] == CLEAN

    def in_state(self, state):
        """All sectors that are nobody's and in that state."""
        return [s for s in range(len(self._owners)) if self._owners[s] == _NOBODY and self._numbers[s] == state]

    def take(self, sector, recording, number):
        """A clean sector now belongs to a recording."""
        self.clean -= 1
        self._own(sector, recording, number)
        self.highest_recording = max(self.highest_recording, recording)
        self.next_sector = (sector + 1) % len(self._owners)
        self.generation += number == 0

    def give_up(self, sector, state):
        """A sector turned out to be of no use to whoever had it; `state` says what it is now."""
        owner = self._owners[sector]
        if owner != _NOBODY:
            self._unlist(owner)  # as long as its first sector can be found
        self._set_state(sector, state)
        for left in self.sectors_of(owner) if owner != _NOBODY else ():
            self._own(left, owner, self._numbers[left])

    def hide(self, recording):
        """A recording's removal has begun: it is no longer listed."""
        self._unlist(recording)
        if recording not in self.dead:
            self.dead.append(recording)

    def forget(self, recording):
        """A recording's removal is done."""
        self._unlist(recording)
        if recording in self.dead:
            self.dead.remove(recording)

    def _unlist(self, recording):
        self.generation += 1
        place = self._place(recording)
        if self._is_at(place, recording):
            self._firsts[place : place + 1] = array("H")
            self._counts[place : place + 1] = array("H")

    def freed(self, sector):
        """A sector has been erased and marked clean."""
        self._set_state(sector, CLEAN)


def _state(head, marker):
    """The state of a sector without a valid header, from its first 64 bytes."""
    if not any(head):
        return UNPREPARED
    if all(byte == layout.BLANK for byte in head[layout.HEADER_AT :]):
        return CLEAN if marker else UNPREPARED
    return TORN
