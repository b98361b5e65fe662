"""The session that is cut: recorded once, every program and erase with its data and its times."""

from hashlib import sha256

import power
from emulator import board
from emulator.nor import SECTOR_BYTES, Cells
from film import Film, base_image, files_of, place_of, sector_of
from visitor import ask, at_rest, tap

LIBRARY = "c0ffee"
CHANGE = {"hang_over_ms": 1100}
SETTINGS_FILE = '{"remove": "at once", "hang_over_ms": 900}'


class Operation:
    """A program (`data`) or an erase (`data` None) at an address; from when to when, and since when the microphone listened."""

    def __init__(self, address, data, start_us, end_us, listening_us):
        self.address, self.data = address, data
        self.start_us, self.end_us, self.listening_us = start_us, end_us, listening_us

    def __str__(self):
        what = "erase" if self.data is None else "program %d bytes" % len(self.data)
        return "%s at %s, until %.3f s" % (what, place_of(self.address), self.end_us / 1e6)

    def apply(self, cells):
        if self.data is None:
            cells.erase(self.address)
        else:
            cells.program(self.address, self.data, len(self.data))

    def sector_in(self, cells):
        """What its sector holds: (content, marginal bits, weak bits)."""
        start = self.address - self.address % SECTOR_BYTES
        content = bytearray(SECTOR_BYTES)
        cells.load(start, content, SECTOR_BYTES)
        return content, cells.marginal.get(start), cells.weak.get(start)

    def tear(self, cells, noise):
        if self.data is None:
            cells.tear_erase(self.address, noise)
        else:
            cells.tear_program(self.address, self.data, len(self.data), noise)


class FilmedCells(Cells):
    """Cells that note what is done to them."""

    def __init__(self, image, noise, operations):
        super().__init__(image, noise)
        self._operations = operations
        self._start_us = 0

    def note(self, kind, label, offset, size, time_us):
        if kind != "read":
            self._start_us = time_us

    def program(self, address, buf, size):
        super().program(address, buf, size)
        self._add(address, bytes(memoryview(buf)[:size]))

    def erase(self, address):
        super().erase(address)
        self._add(address, None)

    def _add(self, address, data):
        world = board.world
        listening_us = world.dma._start_us if world.dma else None
        self._operations.append(Operation(address, data, self._start_us, world.now_us, listening_us))


def record(sound):
    """Run the session on a new card. Returns its Film: the base image, the operations, and what they are to mean."""
    base = base_image({"/settings.json": SETTINGS_FILE})
    image = bytearray(base)
    film = Film(base, [])
    take(film, image, _session(film, image), sound)
    film.finish(board.world.now_us)
    return film


def take(film, image, visit, sound=None):
    """Switch the card on for a visit, and note in the film what is done to its flash."""
    made = []

    def make(noise):
        made.append(FilmedCells(image, noise, film.operations))
        return made[0]

    outcome = power.run(make, visit, "session", sound, log=lambda *what: made[0].note(*what))
    if outcome.reason != "end" or outcome.error:
        raise outcome.error or RuntimeError(outcome.reason)


def _session(film, image):
    yield 300_000
    film.features = (yield from ask({"do": "hello", "v": 1}))["features"]
    yield from ask({"do": "bye"})
    yield from _record(4_000_000, marks=1)
    yield from _record(7_000_000, marks=2)
    yield from _prove_oldest(film, image)
    yield from _change_settings(film)
    yield from _record(5_000_000, marks=0)
    yield from tap("rec")
    for _ in range(4):
        yield 4_000_000
        yield from tap("memo")


def _record(us, marks):
    yield from tap("rec")
    for _ in range(marks):
        yield us // (marks + 1)
        yield from tap("memo")
    yield us // (marks + 1)
    yield from tap("rec")
    yield 500_000


def _prove_oldest(film, image):
    """As a host does it: pull, prove, take leave. The card then removes it, for its settings say at once."""
    yield from ask({"do": "clock", "wall_ms": 1_790_000_000_000, "uncertainty_ms": 20})
    listing = yield from ask({"do": "list", "from": 0, "library": LIBRARY})
    oldest = listing.entries[0]
    identity = {"n": oldest.recording, "nonce": _hex(oldest.nonce)}
    pulled = yield from ask(dict(identity, do="pull", **{"from": 0}))
    stored = files_of(Cells(image, None))[oldest.nonce].addresses
    assert pulled == [sector_of(image, address) for address in stored], "a pull is not what lies on flash"
    digest = sha256(b"".join(pulled)).digest()
    proof = dict(identity, do="safe", sectors=len(pulled), digest=_hex(digest), library=LIBRARY)
    film.proven_from = len(film.operations)
    yield from ask(proof)
    film.proven_nonce = oldest.nonce
    yield from ask({"do": "bye"})
    yield 1_500_000
    yield from at_rest(400_000, 20_000_000)


def _change_settings(film):
    film.change_from = len(film.operations)
    if "set" in film.features:
        yield from ask({"do": "set", "settings": CHANGE})
    film.change_to = len(film.operations)
    yield from ask({"do": "measure", "part": "flash"})
    yield from ask({"do": "bye"})
    yield 300_000


def _hex(data):
    return "".join(["%02x" % byte for byte in data])
