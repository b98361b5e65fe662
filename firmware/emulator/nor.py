"""NOR cells: what they hold, and the bits that a cut has left between 0 and 1.

A program cut short leaves bits *marginal*: each reads 0 or 1 at random, at every read, until it is programmed to 0 or its sector is
erased. An erase cut short leaves marginal bits too; or a sector that reads blank, some of whose bits are *weak*: they take no 0
until the sector has been erased to its end. Both outlive the power: beside an image file lies `<image>.marginal` while it has any."""

import struct
from binascii import crc32

import vfs

SECTOR_BYTES, PAGE_BYTES, SLICE_BYTES = 4096, 256, 64
_BLANK = b"\xff" * SECTOR_BYTES
_KEPT = "<4sII"  # magic, address of the sector, CRC-32 of what it holds; then its two masks
_KEPT_BYTES = struct.calcsize(_KEPT) + 2 * SECTOR_BYTES
_MAGIC = b"VCm1"
_MOST_FEW_BITS = 3


class Cells:
    """Cells over a bytearray. `noise`: where marginal bits come from. `marginal`, `weak`: masks by the address of their sector."""

    def __init__(self, image, noise):
        self.image = image
        self.noise = noise
        self._view = memoryview(image) if image else None
        self.marginal = {}
        self.weak = {}
        self._old = bytearray(SECTOR_BYTES)

    def load(self, address, buf, size):
        """What is stored, marginal bits as ones."""
        buf[:size] = self._view[address : address + size]

    def store(self, address, buf, size):
        self._view[address : address + size] = memoryview(buf)[:size]

    def keep(self):
        """The masks have changed: forget those without a bit."""
        none = bytes(SECTOR_BYTES)
        for masks in (self.marginal, self.weak):
            for address in [address for address, bits in masks.items() if bits == none]:
                masks.pop(address)

    def read(self, address, buf, size):
        self.load(address, buf, size)
        if self.marginal:
            for mask, at, start, count in _masked(self.marginal, address, size):
                part = mask[at : at + count]
                if part != bytes(count):
                    _blur(memoryview(buf)[start : start + count], part, self.noise.bytes(count), count)

    def program(self, address, buf, size):
        """Clear the bits that are clear in `buf`: marginal ones become firm, weak ones do not hold."""
        if len(self._old) < size:
            self._old = bytearray(size)
        old = self._old
        self.load(address, old, size)
        held = self._weak_ones(address, old, size) if self.weak else ()
        _and_into(old, buf, size)
        for start, bits in held:
            _or_into(memoryview(old)[start:], bits, len(bits))
        self.store(address, old, size)
        if self.marginal:
            self._firm(address, buf, size)

    def _weak_ones(self, address, old, size):
        """(offset, bits) of the ones in a range that no program can clear."""
        found = _masked(self.weak, address, size)
        return [(start, _and(old[start : start + count], mask[at : at + count])) for mask, at, start, count in found]

    def _firm(self, address, buf, size):
        for mask, at, start, count in _masked(self.marginal, address, size):
            _and_into(memoryview(mask)[at : at + count], memoryview(buf)[start : start + count], count)
            self.keep()

    def erase(self, address):
        """Set every bit of a sector."""
        self.store(address, _BLANK, SECTOR_BYTES)
        if address in self.marginal or address in self.weak:
            self.marginal.pop(address, None)
            self.weak.pop(address, None)
            self.keep()

    def tear_program(self, address, buf, size, noise):
        """Program some of the slices and a part of the next one."""
        view = memoryview(buf)
        slices = list(slice_bounds(address, size))
        whole = noise.below(len(slices))
        for start, end in slices[:whole]:
            self.program(address + start, view[start:end], end - start)
        start, end = slices[whole]
        self._tear_slice(address + start, bytes(view[start:end]), noise)

    def _tear_slice(self, address, new, noise):
        """Cut early, half-way or late: a few bits marginal and the rest as it was, all of them, or a few and the rest done."""
        size = len(new)
        old = bytearray(size)
        self.load(address, old, size)
        clearing = _and(old, _inverse(new))
        moment = noise.below(3)
        marginal = clearing if moment == 1 else _few(clearing, noise)
        if moment == 2:
            self.program(address, _or(new, marginal), size)
        self._mark(self.marginal, address, marginal)

    def tear_erase(self, address, noise):
        """Cut early, half-way or late: a few bits marginal of those that rise, or many at random; or blank to the eye."""
        old = bytearray(SECTOR_BYTES)
        self.load(address, old, SECTOR_BYTES)
        self.erase(address)
        rising = _inverse(old)
        moment = noise.below(4)
        if moment == 0:
            marginal = _few(rising, noise)
            self.store(address, _or(old, marginal), SECTOR_BYTES)
        elif moment == 1:
            marginal = _and(rising, noise.bytes(SECTOR_BYTES))
            risen = _or(marginal, noise.bytes(SECTOR_BYTES))
            self.store(address, _or(old, risen), SECTOR_BYTES)
        elif moment == 2:
            marginal = _few(rising, noise)
        else:
            marginal = bytes(SECTOR_BYTES)
            self._mark(self.weak, address, _some(noise))
        self._mark(self.marginal, address, marginal)

    def _mark(self, masks, address, bits):
        """Add bits (within one sector) to the masks."""
        if bits == bytes(len(bits)):
            return
        at = address % SECTOR_BYTES
        mask = masks.setdefault(address - at, bytearray(SECTOR_BYTES))
        _or_into(memoryview(mask)[at : at + len(bits)], bits, len(bits))
        self.keep()


class FileCells(Cells):
    """Cells over an image file. Every call reads and writes the file itself, so that a cut leaves what a real cut leaves."""

    def __init__(self, path, noise):
        super().__init__(None, noise)
        self._file = open(path, "r+b")
        self._path = path + ".marginal"
        self._host = vfs.VfsPosix()  # the card will mount its own root
        self._restore()

    def load(self, address, buf, size):
        self._file.seek(address)
        self._file.readinto(buf, size)

    def store(self, address, buf, size):
        self._file.seek(address)
        self._file.write(buf, size)

    def keep(self):
        """Write the masks beside the image; nothing lies there when there are none."""
        super().keep()
        addresses = sorted(set(self.marginal) | set(self.weak))
        if not addresses:
            self._forget()
            return
        none = bytes(SECTOR_BYTES)
        with self._host.open(self._path + ".new", "wb") as file:
            for address in addresses:
                file.write(struct.pack(_KEPT, _MAGIC, address, self._content_crc(address)))
                file.write(self.marginal.get(address, none))
                file.write(self.weak.get(address, none))
        self._host.rename(self._path + ".new", self._path)

    def _forget(self):
        try:
            self._host.remove(self._path)
        except OSError:
            pass

    def _restore(self):
        """Take the masks of sectors that still hold what they held; an image that was made anew has none."""
        try:
            with self._host.open(self._path, "rb") as file:
                kept = file.read()
        except OSError:
            return
        for at in range(0, len(kept) - _KEPT_BYTES + 1, _KEPT_BYTES):
            magic, address, crc = struct.unpack_from(_KEPT, kept, at)
            if magic == _MAGIC and crc == self._content_crc(address):
                end = at + _KEPT_BYTES
                self._mark(self.marginal, address, kept[end - 2 * SECTOR_BYTES : end - SECTOR_BYTES])
                self._mark(self.weak, address, kept[end - SECTOR_BYTES : end])

    def _content_crc(self, address):
        content = bytearray(SECTOR_BYTES)
        self.load(address, content, SECTOR_BYTES)
        return crc32(content)


def slice_bounds(address, size):
    """Start and end of each slice: at most 64 bytes, none crosses a page. As the flash driver cuts a program up."""
    start = 0
    while start < size:
        page_left = PAGE_BYTES - (address + start) % PAGE_BYTES
        end = start + min(SLICE_BYTES, page_left, size - start)
        yield start, end
        start = end


def _masked(masks, address, size):
    """(mask, offset in it, offset from `address`, bytes) of each sector of a range that has a mask."""
    start = 0
    while start < size:
        at = (address + start) % SECTOR_BYTES
        count = min(size - start, SECTOR_BYTES - at)
        mask = masks.get(address + start - at)
        if mask is not None:
            yield mask, at, start, count
        start += count


def _few(bits, noise):
    """One to three of the bits, chosen at random; none if there is none."""
    few = bytearray(len(bits))
    places = [i for i in range(len(bits)) if bits[i]]
    for _ in range(1 + noise.below(_MOST_FEW_BITS) if places else 0):
        at = places[noise.below(len(places))]
        ones = [1 << n for n in range(8) if bits[at] & 1 << n]
        few[at] |= ones[noise.below(len(ones))]
    return few


def _some(noise):
    """Bits of a sector: one in eight, or one in each slice."""
    if noise.below(2):
        return _and(_and(noise.bytes(SECTOR_BYTES), noise.bytes(SECTOR_BYTES)), noise.bytes(SECTOR_BYTES))
    some = bytearray(SECTOR_BYTES)
    for start in range(0, SECTOR_BYTES, SLICE_BYTES):
        some[start + noise.below(SLICE_BYTES)] = 1 << noise.below(8)
    return some


def _and(a, b):
    both = bytearray(a)
    _and_into(both, b, len(both))
    return both


def _or(a, b):
    either = bytearray(a)
    _or_into(either, b, len(either))
    return either


def _inverse(bits):
    inverse = bytearray(bits)
    _invert(inverse, len(inverse))
    return inverse


@micropython.viper
def _and_into(old: ptr8, new: ptr8, size: int):
    for i in range(size):
        old[i] = old[i] & new[i]


@micropython.viper
def _or_into(old: ptr8, new: ptr8, size: int):
    for i in range(size):
        old[i] = old[i] | new[i]


@micropython.viper
def _invert(bits: ptr8, size: int):
    for i in range(size):
        bits[i] = bits[i] ^ 0xFF


@micropython.viper
def _blur(buf: ptr8, mask: ptr8, noise: ptr8, size: int):
    """Replace the masked bits by noise."""
    for i in range(size):
        buf[i] = (buf[i] & (mask[i] ^ 0xFF)) | (noise[i] & mask[i])
