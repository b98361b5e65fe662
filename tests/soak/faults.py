"""What goes wrong on a line: seeded plans of faults, each of which acts on a window of the bytes that go one way."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

TO_CARD, TO_HOST = "to card", "to host"
FOREVER_S = float("inf")
WRITE_TIMEOUT_S = 0.5  # the card's: what nobody takes for so long is written short
SHORT_WRITE = "short write of the card"
RING_BYTES = 260  # the card's input ring: what a bridge brings while it is full is lost
STALLS_S = (0.2, 0.5, 0.7, 5.0)
PATIENT_IN = 12  # one run in so many keeps the host's documented waits
BRISK_ANSWER_S = 0.5
DOCUMENTED_ANSWER_S = 5.0
_LONGEST_WINDOW = {TO_CARD: 200, TO_HOST: 5000}
_LONGEST_TRICKLE = 3000  # all that goes to a card in a sync
_TRICKLED_BYTE_S = 0.003  # each byte is a wait of its own, on a busy machine a long one
TRICKLE = "trickle"
_FRAMES = {TO_CARD: 14, TO_HOST: 36}  # about as many go each way in a sync


@dataclass(frozen=True, slots=True)
class Fault:
    """`after_frames` frames and `after_bytes` bytes more have gone `way`, then it acts on the next `size` bytes.

    `pause_s`: no byte goes that way for so long. `seed` decides what else is random about it."""

    kind: str
    way: str
    after_frames: int
    after_bytes: int
    size: int = 0
    pause_s: float = 0.0
    seed: int = 0

    def __str__(self) -> str:
        pause = f" for {self.pause_s:g} s" if self.pause_s else ""
        size = f" {self.size} bytes" if self.size else ""
        return f"{self.kind}{size}{pause} {self.way}, {self.after_frames} frames and {self.after_bytes} bytes in"


@dataclass(frozen=True, slots=True)
class Plan:
    """The faults of one run: of each disturbed visit that comes before the undisturbed one. `answer_s`: the host's patience."""

    id: str
    answer_s: float
    visits: tuple[tuple[Fault, ...], ...]

    @property
    def bound_s(self) -> float:
        """No run takes longer, by the waits that the protocol allows: each request is asked three times, each time for so long.

        A visit makes at most 4 requests and 6 for each of three recordings; a pull fails after three tries, each with its stop."""
        requests = 4 + 6 * 3
        stalls_s = sum(fault.pause_s for visit in self.visits for fault in visit if fault.pause_s < FOREVER_S)
        trickles_s = sum(
            _TRICKLED_BYTE_S * fault.size for visit in self.visits for fault in visit if fault.kind == TRICKLE
        )
        return 10 + len(self.visits) * requests * 3 * self.answer_s / 2 + stalls_s + trickles_s


def plan_of(id: str) -> Plan:
    """The plan with that id, `SEED-NUMBER`: the same each time."""
    random = Random(f"link {id}")
    patient = random.randrange(PATIENT_IN) == 0
    visits = tuple(_visit(random) for _ in range(random.choice((1, 1, 1, 2))))
    return Plan(id, DOCUMENTED_ANSWER_S if patient else BRISK_ANSWER_S, visits)


def _visit(random: Random) -> tuple[Fault, ...]:
    if random.random() < 0.08:
        return _storm(random)
    return tuple(fault_of(random) for _ in range(random.choice((1, 1, 2, 3, 4))))


def _storm(random: Random) -> tuple[Fault, ...]:
    """A cable that damages something every few frames, all the time."""
    kinds = random.sample(("flip", "drop", "duplicate", "truncate", "reorder", "noise"), 2)
    return tuple(
        _placed(random, random.choice(kinds), way, frames)
        for way in (TO_CARD, TO_HOST)
        for frames in range(random.randrange(3), 2 * _FRAMES[way], random.randint(2, 6))
    )


def fault_of(random: Random) -> Fault:
    way = random.choice((TO_CARD, TO_HOST))
    return _placed(random, random.choice(_KINDS), way, random.randrange(_FRAMES[way]))


def _placed(random: Random, kind: str, way: str, after_frames: int) -> Fault:
    if kind == "overflow":
        way, after_frames = TO_CARD, after_frames % _FRAMES[TO_CARD]
    longest = _LONGEST_WINDOW[way]
    size = int((_LONGEST_TRICKLE if kind == TRICKLE else longest) ** random.random()) + 1
    after_bytes = random.choice((0, random.randrange(40), random.randrange(longest)))
    pause_s = {"stall": random.choice(STALLS_S), "freeze": FOREVER_S, "overflow": 0.3}.get(kind, 0.0)
    return Fault(
        kind, way, after_frames, after_bytes, size if kind in _TRANSFORMS else 0, pause_s, random.getrandbits(32)
    )


def transformed(fault: Fault, window: bytes) -> list[bytes]:
    """What comes out of a fault instead of the bytes in its window, in pieces that go one after the other."""
    return _TRANSFORMS[fault.kind](Random(fault.seed), window)


def _flip(random: Random, window: bytes) -> list[bytes]:
    damaged = bytearray(window)
    for _ in range(random.randint(1, 5)):
        damaged[random.randrange(len(damaged))] ^= 1 << random.randrange(8)
    return [bytes(damaged)]


def _drop(random: Random, window: bytes) -> list[bytes]:
    return []


def _duplicate(random: Random, window: bytes) -> list[bytes]:
    return [window, window]


def _truncate(random: Random, window: bytes) -> list[bytes]:
    """The end of a frame is lost, with its delimiter or without."""
    rest = window.lstrip(b"\0")
    end = window.find(b"\0", len(window) - len(rest))
    if end < 0:
        return [window[: len(window) // 2]]
    return [window[: random.randrange(end + 1)] + window[end + random.randrange(2) :]]


def _reorder(random: Random, window: bytes) -> list[bytes]:
    cut = random.randrange(len(window))
    return [window[cut:], window[:cut]]


def _noise(random: Random, window: bytes) -> list[bytes]:
    zeros = random.random() < 0.5
    noise = bytes(
        random.randrange(256) if zeros else random.randrange(1, 256) for _ in range(random.choice((1, 9, 300)))
    )
    return [noise, window]


def _trickle(random: Random, window: bytes) -> list[bytes]:
    return [window[at : at + 1] for at in range(len(window))]


_TRANSFORMS = {
    "flip": _flip,
    "drop": _drop,
    "duplicate": _duplicate,
    "truncate": _truncate,
    "reorder": _reorder,
    "noise": _noise,
    TRICKLE: _trickle,
}
_KINDS = (*_TRANSFORMS, *_TRANSFORMS, "stall", "stall", "stall", "overflow", "freeze", "hang up")
