"""What the session made: the flash it began with, its operations, and each recording as the uncut session left it."""

import struct

import power
from emulator.nor import Cells
from wire import block, sector

CARD = "k3f92b"
_COVERING = block.AUDIO, block.GAP, block.EVENT
TABLE_AT = 0x8000
SLOTS_AT, SLOTS_SECTORS = 0xE000, 2
VFS_AT, VFS_SECTORS = 0x10000, 64
RECORDINGS_SECTORS = 96
RECORDINGS_AT = VFS_AT + VFS_SECTORS * sector.SECTOR_BYTES
IMAGE_BYTES = RECORDINGS_AT + RECORDINGS_SECTORS * sector.SECTOR_BYTES
_BLANK_HEADER = b"\xff" * sector.HEADER_BYTES
_BLANK_REST = memoryview(b"\xff" * (sector.SECTOR_BYTES - sector.SCAN_BYTES))
_READINGS = 64  # of a sector with a few bits in between: one of them will be what the card may have read


def base_image(files):
    """A new card's flash, small: its file system holds `files` (path: text), its recordings partition is clean."""
    image = bytearray(b"\xff" * IMAGE_BYTES)
    for number, (subtype, address, sectors, label) in enumerate(
        (
            (0x41, SLOTS_AT, SLOTS_SECTORS, b"slots"),
            (0x81, VFS_AT, VFS_SECTORS, b"vfs"),
            (0x40, RECORDINGS_AT, RECORDINGS_SECTORS, b"recordings"),
        )
    ):
        size = sectors * sector.SECTOR_BYTES
        struct.pack_into("<HBBII16sI", image, TABLE_AT + 32 * number, 0x50AA, 1, subtype, address, size, label, 0)
    clean = bytearray(b"\xff" * sector.SECTOR_BYTES)
    sector.pack_marker(clean, 1, 0, 0, CARD)
    for address in sector_addresses():
        image[address : address + sector.SECTOR_BYTES] = clean
    power.format_vfs(lambda noise: Cells(image, noise), files)
    return image


def sector_addresses():
    return range(RECORDINGS_AT, IMAGE_BYTES, sector.SECTOR_BYTES)


def place_of(address):
    places = (("recordings", RECORDINGS_AT), ("vfs", VFS_AT), ("slots", SLOTS_AT))
    label, start = next(place for place in places if address >= place[1])
    return "0x%x of %s" % (address - start, label)


class File:
    """A recording as it lies on flash: its sectors' addresses in order. `unstable`: whether a bit of its file may still change."""

    def __init__(self):
        self.numbered = []
        self.unstable = False

    @property
    def addresses(self):
        return [address for _, address in sorted(self.numbered)]


def files_of(cells):
    """{nonce: File} of all recordings that lie on flash, by their sectors' headers alone."""
    files = {}
    head = bytearray(sector.SCAN_BYTES)
    for address in sector_addresses():
        cells.read(address, head, len(head))
        header = sector.read_header(head)
        if header:
            file = files.setdefault(header.nonce, File())
            file.numbered.append((header.number, address))
            file.unstable = file.unstable or _unstable(cells, address)
    return files


def _unstable(cells, address):
    mask = cells.marginal.get(address)
    if mask is None:
        return False
    mask = bytearray(mask)
    mask[sector.CELLS_AT : sector.CELLS_END] = bytes(sector.CELLS_END - sector.CELLS_AT)
    return mask != bytes(len(mask))


def is_sector(image, address, content):
    """Whether a sector of the image is that content, state cells aside."""
    view, content = memoryview(image), memoryview(content)
    head, rest = sector.CELLS_AT, sector.CELLS_END
    return (
        view[address : address + head] == content[:head]
        and view[address + rest : address + sector.SECTOR_BYTES] == content[rest:]
    )


def sector_of(image, address):
    """A copy of a sector as a host gets it: its state cells blank."""
    content = bytearray(memoryview(image)[address : address + sector.SECTOR_BYTES])
    sector.blank_cells(content)
    return content


def spare_sectors(cells):
    """The addresses of the sectors that belong to no recording: (those that are not clean, those that read clean at times)."""
    dirty, suspect = [], []
    head = bytearray(sector.SCAN_BYTES)
    for address in sector_addresses():
        cells.load(address, head, len(head))
        if sector.read_header(head):
            continue
        if address in cells.marginal and _reads_clean(cells, address):
            suspect.append(address)
        elif address in cells.weak or address in cells.marginal or not _is_clean(head, cells.image, address):
            dirty.append(address)
    return dirty, suspect


def _is_clean(head, image, address):
    """Whether `head` is blank behind a marker, and what follows it in the image is blank."""
    rest = memoryview(image)[address + sector.SCAN_BYTES : address + sector.SECTOR_BYTES]
    return sector.read_marker(head) and head[sector.HEADER_AT :] == _BLANK_HEADER and rest == _BLANK_REST


def _reads_clean(cells, address):
    head = bytearray(sector.SCAN_BYTES)
    for _ in range(_READINGS):
        cells.read(address, head, len(head))
        if _is_clean(head, cells.image, address):
            return True
    return False


class Recorded:
    """A recording of the uncut session. `first`, `end`: the numbers (from 1) of the operations that programmed its first header
    and its end block (None: it ran to the session's end); `places`: of each block (sector, offset, how long the recording is with
    the blocks so far, up to where they cover the time line)."""

    def __init__(self, nonce, first, listening_us):
        self.nonce, self.first, self.end = nonce, first, None
        self.listening_us = listening_us
        self.length = 0
        self.sectors = []
        self.places = []
        self.counts = []  # blocks in each sector

    def keep(self, cells):
        """Take down its file as it lies on flash now."""
        self.sectors = [sector_of(cells.image, address) for address in files_of(cells)[self.nonce].addresses]
        length = 0
        for number, content in enumerate(self.sectors):
            blocks = list(block.walk(content))
            self.counts.append(len(blocks))
            for found in blocks:
                end = end_of(found, content)
                length = max(length, end)  # a mark may lie ahead of the sound that is written
                if found.kind == block.END:
                    self.length = length = end  # the last frame may reach beyond
                elif found.kind in _COVERING:
                    self.length = max(self.length, end)
                self.places.append((number, found.at, length, self.length))


class Film:
    """The base image and the operations; `recordings` in their order. The session's own marks are numbers of operations done."""

    def __init__(self, base, operations):
        self.base = base
        self.operations = operations
        self.features = ()
        self.proven_from = self.change_from = self.change_to = 0
        self.proven_nonce = None
        self.end_us = 0
        self.recordings = []

    def finish(self, end_us):
        """Go through the operations once and take down each recording."""
        self.end_us = end_us
        cells = Cells(bytearray(self.base), None)
        for number, operation in enumerate(self.operations, 1):
            operation.apply(cells)
            if operation.data and operation.address >= RECORDINGS_AT:
                self._look(number, operation, cells)
        self.recordings[-1].keep(cells)

    def _look(self, number, operation, cells):
        at = operation.address % sector.SECTOR_BYTES
        if at < sector.SCAN_BYTES:
            header = sector.read_header(memoryview(cells.image)[operation.address - at :][: sector.SCAN_BYTES])
            if header and header.number == 0 and header.nonce not in [r.nonce for r in self.recordings]:
                self.recordings.append(Recorded(header.nonce, number, operation.listening_us))
        elif at >= sector.BLOCKS_AT and operation.data[0] == block.END:
            recorded = self.recordings[-1]
            recorded.end = number
            recorded.keep(cells)


def end_of(found, content):
    """Where a block ends on the time line, in samples."""
    payload = memoryview(content)[found.payload_at :]
    if found.kind == block.AUDIO:
        return found.position + block.FRAME_SAMPLES
    if found.kind == block.GAP:
        return found.position + block.read_gap(payload).samples
    if found.kind == block.EVENT:
        event = block.read_event(payload)
        return found.position + (event.value if event.event == block.EVENT_SAMPLES_LOST else 0)
    return found.position
