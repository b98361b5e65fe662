"""Whose each sector of a card's storage is, told by its header, its blocks and its neighbours."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from voicecard.firmware.wire import sector
from voicecard.library.scan import Scan, scan

Owner = tuple[int, bytes]  # recording number, nonce


@dataclass(slots=True)
class Place:
    """A sector of the image that holds something of a recording. `owner` and `number` may be found out later."""

    index: int
    found: Scan
    owner: Owner | None
    number: int
    boot: int | None
    removed: bool

    @property
    def has_header(self) -> bool:
        return bool(self.found.headers)


@dataclass(frozen=True, slots=True)
class Piece:
    """What is left of one recording: its sectors as places in the image, in order."""

    owner: Owner | None
    sectors: tuple[int, ...]
    card: str | None
    number: int
    attached: int
    removed: bool

    @property
    def nameless(self) -> bool:
        return self.owner is None

    def nonce_of(self, data: bytes) -> str:
        """The recording's nonce in hex, or, where no header tells it, one that the same bytes always get."""
        return (self.owner[1] if self.owner else hashlib.sha256(data).digest()[:8]).hex()


@dataclass(frozen=True, slots=True)
class Survey:
    """`free` sectors hold nothing; of `senseless` ones nothing can be read. `card`: the name that most sectors carry."""

    sectors: int
    pieces: list[Piece]
    free: int
    senseless: int
    card: str | None


@dataclass(slots=True)
class _Log:
    """The sectors as they stand round the partition; a recording takes them in turn."""

    sectors: int
    places: dict[int, Place] = field(default_factory=dict)
    numbers: dict[Owner, set[int]] = field(default_factory=lambda: defaultdict(set))

    def beside(self, place: Place, step: int) -> Place | None:
        return self.places.get((place.index + step) % self.sectors)

    def orphans(self) -> list[Place]:
        return [place for place in self.places.values() if place.owner is None]

    def give(self, place: Place, owner: Owner, number: int) -> bool:
        """Make a sector the recording's `number`-th, if that one is missing."""
        if number < 0 or number in self.numbers[owner]:
            return False
        self.numbers[owner].add(number)
        place.owner, place.number = owner, number
        return True


def survey(read: Callable[[int], bytes], sectors: int) -> Survey:
    """Look at `sectors` sectors; `read(index)` gives their 4096 bytes."""
    log = _Log(sectors)
    cards: Counter[str] = Counter()
    free = 0
    for index in range(sectors):
        raw = read(index)
        found = scan(raw)
        cards.update([found.marker_card] if found.marker_card else [])
        if found.headers or found.blocks_read:
            log.places[index] = _place(index, raw, found)
        else:
            free += not raw[sector.BLOCKS_AT :].strip(b"\xff\0")
    for place in log.places.values():
        if place.owner:
            log.numbers[place.owner].add(place.number)
    _attach(log)
    pieces = _pieces(log)
    card = cards.most_common(1)[0][0] if cards else None
    return Survey(sectors, pieces, free, sectors - free - len(log.places), card)


def _place(index: int, raw: bytes, found: Scan) -> Place:
    header = found.first_header
    removed = bool(sector.find_cell(raw, sector.DEAD) and sector.find_cell(raw, sector.SAFE))
    if header is None:
        return Place(index, found, None, 0, found.head.boot if found.head else None, removed)
    return Place(index, found, (header.recording, header.nonce), header.number, header.boot, removed)


def _attach(log: _Log) -> None:
    """Give sectors without a header to the recordings that they must belong to; what is found may tell of the next ones."""
    _by_head(log)
    headed = [place for place in log.places.values() if place.has_header]
    for before, ahead in zip(headed, headed[1:] + headed[:1], strict=True):
        _fill(log, before, ahead)
    while any(_continues(log, place, -1) or _continues(log, place, 1) for place in log.orphans()):
        pass


def _by_head(log: _Log) -> None:
    """A head block names its recording, and a card uses no number twice."""
    owners = defaultdict(set)
    for place in log.places.values():
        if place.owner:
            owners[place.owner[0], place.boot].add(place.owner)
    for place in log.orphans():
        head = place.found.head
        if head and len(found := owners[head.recording, head.boot]) == 1:
            log.give(place, next(iter(found)), 0)


def _fill(log: _Log, before: Place, ahead: Place) -> None:
    """Between two sectors of a recording there are as many places as numbers are missing: each number's place is certain."""
    distance = (ahead.index - before.index) % log.sectors
    if before.owner is None or before.owner != ahead.owner or ahead.number - before.number != distance:
        return
    for step in range(1, distance):
        place = log.beside(before, step)
        if place and place.owner is None:
            log.give(place, before.owner, before.number + step)


def _continues(log: _Log, place: Place, step: int) -> bool:
    """The time line of a sector goes on exactly where its neighbour's ends, or ends where that begins."""
    other = log.beside(place, step)
    if other is None or other.owner is None:
        return False
    earlier, later = (other, place) if step < 0 else (place, other)
    return _follows(earlier, later) and log.give(place, other.owner, other.number - step)


def _follows(earlier: Place, later: Place) -> bool:
    reached = earlier.found.reached
    return reached > 0 and later.found.begins == reached and not earlier.found.end and not later.found.head


def _pieces(log: _Log) -> list[Piece]:
    """The recordings by number, then those that nobody names by place."""
    owned: dict[Owner, list[Place]] = defaultdict(list)
    runs: list[list[Place]] = []
    for place in log.places.values():
        if place.owner:
            owned[place.owner].append(place)
        elif runs and runs[-1][-1].index == place.index - 1 and _follows(runs[-1][-1], place):
            runs[-1].append(place)
        else:
            runs.append([place])
    ordered = [(owner, sorted(owned[owner], key=lambda p: (p.number, p.index))) for owner in sorted(owned)]
    return [_piece(owner, places) for owner, places in ordered] + [_piece(None, places) for places in runs]


def _piece(owner: Owner | None, places: list[Place]) -> Piece:
    head = next((place.found.head for place in places if place.found.head), None)
    cards: list[Any] = [head.card if head else None, *(place.found.marker_card for place in places)]
    return Piece(
        owner=owner,
        sectors=tuple(place.index for place in places),
        card=next(filter(None, cards), None),
        number=owner[0] if owner else head.recording if head else 0,
        attached=sum(not place.has_header for place in places) if owner else 0,
        removed=places[0].removed,
    )
