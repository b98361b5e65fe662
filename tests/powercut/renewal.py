"""Cuts of an update: from slot a to b and back, each with the start that tries it. After any of them the card runs the old
application or the new one, whole; once the switch was answered, the new one."""

from binascii import b2a_base64, hexlify
from hashlib import sha256

from emulator.nor import SECTOR_BYTES
from film import CARD, SLOTS_AT, Film, base_image
from promises import BOOT, Broken
from prover import Prover, chance
from session import take
from slots_log import Log
from visitor import ask

_PIECE_BYTES = 120
_REDO_EVERY = 4  # of the cuts: the update is made once more
_UP_US = 2_600_000  # until a start has come up
_USED_SLOT_BYTES, _FREE_SLOT_BYTES = 8 * 16, 20 * 16


def _text(name, size):
    """Lines that differ from file to file and from version to version."""
    line = "# %s %d\n"
    lines = [line % (name, number) for number in range(size // len(line % (name, 100)) + 1)]
    return "".join(lines)[:size]


_SAME = {"/card/link/b.py": _text("b", 1500), "/wire/c.py": _text("c", 300), "/lib/d/e.py": _text("e", 4500)}
VERSIONS = (
    dict(_SAME, **{"/card/app.py": _text("app 1", 5000), "/card/gone.py": _text("gone", 200)}),
    dict(_SAME, **{"/card/app.py": _text("app 2", 4800), "/card/new/new.py": _text("new", 900)}),
    dict(_SAME, **{"/card/app.py": _text("app 3", 6000), "/card/new/new.py": _text("newer", 100)}),
    dict(_SAME, **{"/card/app.py": _text("app 4", 700)}),
)


def _told(version):
    """What the card says of a version's files."""
    return {path: (len(text), hexlify(sha256(text.encode()).digest()).decode()) for path, text in version.items()}


class Look:
    """What a host saw of the application that runs. `slot` and `files`: at first, `came_up`: whether it then came up for good."""

    def __init__(self):
        self.slot, self.files, self.came_up = "", {}, False
        self.log, self.listing = [], ()


def look(seen):
    """A visit to a card that has come up: it tells what it runs, and comes up."""
    yield 200_000
    hello = yield from ask({"do": "hello", "v": 1})
    need(hello["card"] == CARD, "it is not the card that it was")
    answer, seen.files = yield from _files()
    seen.slot = answer["slot"]
    yield from ask({"do": "bye"})
    yield _UP_US
    seen.came_up = not (yield from _files())[0]["trial"]
    seen.log = (yield from ask({"do": "log"}))["lines"]
    yield from ask({"do": "bye"})


def need(fact, otherwise):
    if not fact:
        raise Broken(BOOT, otherwise)


def _files():
    found, total = {}, 1
    while len(found) < total:
        answer = yield from ask({"do": "files", "from": len(found)})
        total = answer["total"]
        for line in answer["files"]:
            found[line["path"]] = line["bytes"], line["sha256"]
        if not answer["files"]:
            break
    return answer, found


def renew(old, new, before_switch=lambda: None):
    """What a host does for an update; `before_switch` is called before it is switched."""
    yield 300_000
    yield from ask({"do": "hello", "v": 1})
    yield from _step("clear")
    manifest = "".join(["%s %d %s\n" % (sha, size, path) for path, (size, sha) in sorted(_told(new).items())])
    for path, text in sorted(new.items()):
        if old.get(path) == text:
            yield from _step("copy", path=path)
        else:
            yield from _put(path, text)
    yield from _put("/card/manifest", manifest)
    before_switch()
    yield from _step("switch", manifest=hexlify(sha256(manifest.encode()).digest()).decode())
    yield from ask({"do": "bye"})


def _put(path, text):
    yield from _step("open", path=path)
    data = text.encode()
    for at in range(0, len(data), _PIECE_BYTES):
        piece = b2a_base64(data[at : at + _PIECE_BYTES]).decode().strip()
        yield from _step("put", at=at, data=piece)


def _step(step, **fields):
    return (yield from ask(dict(fields, do="update", step=step)))


class _Slots:
    """The partition `slots` of an image, before the card is switched on."""

    def __init__(self, image):
        self._image = image

    def readblocks(self, sector, buffer, at):
        start = SLOTS_AT + sector * SECTOR_BYTES + at
        buffer[:] = self._image[start : start + len(buffer)]

    def writeblocks(self, sector, data, at):
        start = SLOTS_AT + sector * SECTOR_BYTES + at
        self._image[start : start + len(data)] = data

    def ioctl(self, command, sector):
        self.writeblocks(sector, b"\xff" * SECTOR_BYTES, 0)


def _use_up_slots(image):
    """Leave room in the first sector of the log for one update and not for two: the second one moves it on."""
    slots = _Slots(image)
    Log(slots).try_out(1)
    Log(slots).stay(0)
    first = next(sector for sector in (0, 1) if image[SLOTS_AT + sector * SECTOR_BYTES] != 0xFF)
    slots.writeblocks(first, bytes(SECTOR_BYTES - _FREE_SLOT_BYTES - _USED_SLOT_BYTES), _USED_SLOT_BYTES)


class UpdateProver(Prover):
    """`_switches`: for each update the operations that were done before its switch was asked for, and when it was answered."""

    def record(self):
        self._switches = []
        base = base_image(
            dict(VERSIONS[0], **dict.fromkeys(["/b/%s/x" % name for name in ("card", "wire", "lib")], ""))
        )
        _use_up_slots(base)
        film, image = Film(base, []), bytearray(base)
        for old, new in ((0, 1), (1, 2)):
            before = []
            visit = renew(VERSIONS[old], VERSIONS[new], lambda before=before: before.append(len(film.operations)))
            take(film, image, visit)
            self._switches.append((before[0], len(film.operations)))
            take(film, image, look(Look()))
        return film

    def visit(self, seen):
        return look(Look())

    def check(self, name, cut):
        """Start the card twice; returns what an open recording lost: there is none."""
        first = self._look(name + " 1")
        number = self._version_of(first)
        need(number in self._allowed(cut), "it runs version %d, in slot %s" % (number + 1, first.slot))
        need(first.slot == "aba"[number], "version %d runs from slot %s" % (number + 1, first.slot))
        need(first.came_up, "it does not come up for good")
        second = self._look(name + " 2")
        need((second.slot, second.files) == (first.slot, first.files), "the next start runs another application")
        if chance(self._seed, "redo " + name, _REDO_EVERY):
            self.need_end(self.start(name + " 3", renew(VERSIONS[number], VERSIONS[3])))
            third = self._look(name + " 4")
            need(self._version_of(third) == 3 and third.slot != first.slot, "another update does not go through")
        return 0

    def _look(self, name):
        seen = Look()
        self.need_end(self.start(name, look(seen)))
        return seen

    def _version_of(self, seen):
        for number, version in enumerate(VERSIONS):
            if seen.files == _told(version):
                return number
        raise Broken(BOOT, "it runs no whole application: %s from slot %s" % (sorted(seen.files), seen.slot))

    def _allowed(self, cut):
        """The versions that may run after a cut: from a switch on, until it is answered, the old one or the new one."""
        allowed = [0]
        for number, (before, after) in enumerate(self._switches):
            if cut.done >= after:
                allowed = [number + 1]
            elif cut.done >= before:
                allowed = [number, number + 1]
        return allowed
