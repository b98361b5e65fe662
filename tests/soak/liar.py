"""Cards that lie to the host: sizes, names, types and numbers that cannot be, garbage, and talk without end."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

from soak.bench import make_recordings
from soak.model import Frame, ModelCard, ModelPort
from soak.pool import Work
from soak.visit import Outcome, patience, visit
from voicecard.device import conversation
from voicecard.device.client import CardLink
from voicecard.firmware.wire import message

MOST_TOLD_BYTES = 4 << 20  # then the liar has nothing more to say
MOST_KEPT_BYTES = 8 << 20  # on the host's disk
_LATEST_S = 0.3  # instead of the documented 30 s: so long a host listens to a card that babbles
BOUND_S = 30.0  # of the visits to a liar
_RUBBISH: tuple[Any, ...] = (
    None, True, -1, 0, 1, 255, 65535, 1 << 31, 1 << 32, 1 << 63, 1 << 64, 10**300, -(1 << 63), 0.5, 1e308, "", ".", "..",
    "../../outside", "/tmp/outside", "a/b", "a\\b", "k3f92b\0x", "C:", "nul\n", "\ud800", "x" * 1500, [], {}, [[]], {"a": 1},
    [None] * 40,
)  # fmt: skip


class Liar(ModelCard):
    """Tells the truth but for one answer in a few."""

    def __init__(self, random: Random) -> None:
        super().__init__(make_recordings((1, 2)))
        self._random = random
        self._lies_in = random.choice((2, 4, 8))

    def frames(self, request: dict[str, Any]) -> Iterator[Frame]:
        try:
            answers = list(super().frames(request))
        except (StopIteration, RuntimeError, KeyError):  # about what it made up
            answers = [
                (message.SECTOR, i.to_bytes(2, "little") + bytes(4096)) for i in range(self._random.choice((0, 3, 70)))
            ]
            answers.append(
                (message.ANSWER, message.pack_json({"safe": True, "done": True, "sectors": 3, "revoked": True}))
            )
        for kind, payload in answers:
            lie = self._random.randrange(self._lies_in) == 0
            yield from self._lie(kind, payload) if lie else ((kind, payload),)

    def _lie(self, kind: int, payload: bytes) -> Iterator[Frame]:
        random = self._random
        how = random.randrange(12)
        if how == 0:
            yield random.choice((0, 1, 5, 99, 255)), payload
        elif how == 1:
            yield kind, payload[: random.randrange(len(payload))]
        elif how == 2:
            yield kind, (payload + random.randbytes(random.randrange(1, 3000)))[:4154]
        elif how == 3:
            yield from [(kind, payload)] * random.choice((2, 50))
        elif kind == message.ANSWER:
            yield kind, self._other_fields(payload)
        elif kind == message.LISTING:
            yield kind, self._other_listing(payload)
        else:
            yield kind, random.randbytes(2) + payload[2:]

    def _other_fields(self, payload: bytes) -> bytes:
        random = self._random
        if random.random() < 0.2:
            return random.choice(
                (b"", b"{", b"[" * 2000, b'{"a":' * 400, b"9" * 2040, b"\xff\xfe", b'"x"', b"NaN", b"[]")
            )
        fields = message.read_json(payload)
        for name in random.sample(sorted(fields), min(len(fields), random.choice((1, 1, 2, 5)))):
            fields[name] = random.choice(_RUBBISH)
        if random.random() < 0.2:
            fields["error"] = random.choice(_RUBBISH)
            fields["say"] = random.choice(_RUBBISH)
        return message.pack_json(fields)[: message.MAX_JSON_BYTES + 50]

    def _other_listing(self, payload: bytes) -> bytes:
        """Other numbers in the header, or entries that no card has."""
        random = self._random
        header = payload[: message.LISTING_HEADER_BYTES]
        entries = payload[message.LISTING_HEADER_BYTES :]
        if random.random() < 0.3:
            return random.randbytes(4) + random.choice((b"\0\0", b"\xff\xff", header[4:6])) + b"\xff\xff" + entries
        made_up = [self._entry() for _ in range(random.choice((1, 2, 64, 140)))]
        twice = bytearray(message.LISTING_HEADER_BYTES + len(made_up) * message.ENTRY_BYTES)
        message.pack_listing_header(twice, 7, int.from_bytes(header[4:6], "little"), len(made_up))
        for index, entry in enumerate(made_up):
            message.pack_entry(twice, index, entry)
        return bytes(twice)

    def _entry(self) -> message.Entry:
        random = self._random
        known = self.entry(random.choice(self.recordings), "")
        return known._replace(
            nonce=random.choice((known.nonce, bytes(8), random.randbytes(8))),
            recording=random.choice((known.recording, 0, 2**32 - 1)),
            boot=random.choice((1, 0, 2**32 - 1)),
            samples=random.choice((4800, 0, 2**32 - 1)),
            sectors=random.choice((known.sectors, 0, 3, 65535)),
            flags=random.randrange(256),
            reason=random.randrange(256),
            copies=random.randrange(256),
        )


class LiarPort(ModelPort):
    """A line to a liar; now and then it is only noise, or goes on without end."""

    def __init__(self, random: Random, path: str) -> None:
        self._liar = Liar(random)
        super().__init__(self._liar, chunk_bytes=random.choice((1, 700, 65536)))
        self.path = path
        self.told_bytes = 0
        self._random = random
        self._endless = b""

    def answers(self, data: bytes) -> Iterator[bytes]:
        for answer in super().answers(data):
            how = self._random.randrange(60)
            if how == 0:
                yield self._random.randbytes(self._random.choice((1, 100, 20_000)))
            elif how == 1:
                self._endless = self._random.choice(
                    (bytes(4096), b"\xff" * 4096, self._random.randbytes(4096), answer * 3)
                )
            yield answer

    def read(self, deadline: float) -> bytes:
        self._reads = 0  # time alone ends what goes on without end
        data = super().read(deadline)
        if not data and self._endless:
            time.sleep(0.001)
            return self._endless
        self.told_bytes += len(data)
        return data if self.told_bytes < MOST_TOLD_BYTES else b""


@contextmanager
def host_fuzzer(folder: Path) -> Iterator[Work]:
    """A worker whose tasks each visit liars."""
    yield lambda id: run(id, folder)


def run(id: str, folder: Path) -> Outcome:
    """Visit a liar, then the honest card that it made itself out to be, with the same library."""
    outcome = Outcome(id)
    random = Random(f"liar {id}")
    started = time.monotonic()
    home = folder / "home"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    around = sorted(path.name for path in folder.iterdir())
    with patience(0.5), not_for_long():
        for _ in range(random.choice((1, 3))):
            outcome.endings.append(visit(liar_at("/dev/liar", random), home / "library", outcome))
        _check_disk(folder, around, outcome)
        honest = ModelCard(make_recordings((1, 2)))
        if (ending := visit(lambda: CardLink(ModelPort(honest)), home / "library", outcome)) != "done":
            outcome.wrong.append(f"after a liar, an honest card: {ending}")
    for recording in honest.recordings:
        if recording.digest not in {_digest(path) for path in (home / "library").rglob("card.vcr")}:
            outcome.lost.append(f"recording {recording.number} did not arrive from an honest card")
    outcome.seconds = time.monotonic() - started
    return outcome


def liar_at(path: str, random: Random) -> Callable[[], CardLink]:
    return lambda: CardLink(LiarPort(random, path))


def _check_disk(folder: Path, around: list[str], outcome: Outcome) -> None:
    """Nothing lies outside the library, and inside not more than was told."""
    if sorted(path.name for path in folder.iterdir()) != around or len(list((folder / "home").iterdir())) != 1:
        outcome.wrong.append("something was written outside the library")
    if Path("/tmp/outside").exists():
        outcome.wrong.append("something was written to an absolute path")
    if (size := sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())) > MOST_KEPT_BYTES:
        outcome.wrong.append(f"{size} bytes on the disk")


@contextmanager
def not_for_long() -> Iterator[None]:
    """Hosts listen for a short while only to a card that babbles."""
    before = conversation._LATEST_S
    conversation._LATEST_S = _LATEST_S
    try:
        yield
    finally:
        conversation._LATEST_S = before


def _digest(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()
