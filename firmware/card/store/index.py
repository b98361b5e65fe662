"""What the sectors hold, in packed arrays: built by one pass over their first 64 bytes at start."""

from array import array

from micropython import const

from wire import sector as layout

UNPREPARED = const(0)  # no valid marker: to be erased before use
CLEAN = const(1)
USED = const(2)
SET_ASIDE = const(3)  # carries something that is no header: left alone


class Index:
    """State, recording and number of every sector; the highest numbers ever used; the recordings in order."""

    def __init__(self, flash):
        self._flash = flash
        self.states = bytearray(flash.sectors)
        self._recordings = array("I", bytes(4 * flash.sectors))
        self._numbers = array("H", bytes(2 * flash.sectors))
        self.card = ""
        self.highest_recording = 0
        self.highest_boot = 0
        self.generation = 0
        self.clean = 0
        self.recordings = []  # their numbers, ascending
        self.dead = []  # those of recordings whose removal was begun
        self.next_sector = 0  # the writer goes on here, round the partition
        self._scan()
        self.recordings = sorted({self._recordings[s] for s in range(flash.sectors) if self.states[s] == USED})

    def _scan(self):
        newest = (0, -1)
        head = bytearray(layout.SCAN_BYTES)
        for sector in range(self._flash.sectors):
            self._flash.read(sector, 0, head)
            marker = layout.read_marker(head)
            header = layout.read_header(head)
            if marker:
                self.card = self.card or marker.card
                self.highest_recording = max(self.highest_recording, marker.recording)
                self.highest_boot = max(self.highest_boot, marker.boot)
            if header:
                self._note(sector, header.recording, header.number)
                self.highest_recording = max(self.highest_recording, header.recording)
                self.highest_boot = max(self.highest_boot, header.boot)
                if (header.recording, header.number) > newest:
                    newest = (header.recording, header.number)
                    self.next_sector = (sector + 1) % self._flash.sectors
            elif not _is_blank(head, layout.HEADER_AT):
                self.states[sector] = SET_ASIDE
            elif marker:
                self.states[sector] = CLEAN
                self.clean += 1

    def _note(self, sector, recording, number):
        self.states[sector] = USED
        self._recordings[sector] = recording
        self._numbers[sector] = number

    def take(self, sector, recording, number):
        """A clean sector now belongs to a recording."""
        self.clean -= 1
        self._note(sector, recording, number)
        self.highest_recording = max(self.highest_recording, recording)
        self.next_sector = (sector + 1) % len(self.states)
        if recording not in self.recordings:
            self.recordings.append(recording)
            self.generation += 1

    def set_aside(self, sector):
        """A sector turned out to be of no use."""
        self.clean -= self.states[sector] == CLEAN
        self.states[sector] = SET_ASIDE

    def hide(self, recording):
        """A recording's removal has begun: it is no longer listed."""
        if recording in self.recordings:
            self.recordings.remove(recording)
            self.generation += 1
        if recording not in self.dead:
            self.dead.append(recording)

    def forget(self, recording):
        """A recording's removal is done."""
        if recording in self.recordings:
            self.recordings.remove(recording)
        if recording in self.dead:
            self.dead.remove(recording)
        self.generation += 1

    def freed(self, sector):
        """A sector has been erased and marked clean."""
        self.clean += self.states[sector] != CLEAN
        self.states[sector] = CLEAN

    def sectors_of(self, recording):
        """The recording's readable sectors, in the order of their numbers."""
        found = [
            (self._numbers[s], s)
            for s in range(len(self.states))
            if self.states[s] == USED and self._recordings[s] == recording
        ]
        return [s for _, s in sorted(found)]


def _is_blank(buffer, start):
    return all(buffer[i] == layout.BLANK for i in range(start, len(buffer)))
