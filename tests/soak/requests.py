"""Requests that are whole and mean harm: right ones of which fields are missing, wrong, too many or too large."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from soak.bench import Recording

Fields = dict[str, Any]

LIBRARY = "f0f0f0"  # none that exists
ERASE = "all recordings"  # the only words that `format` knows
VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 1, 2, 65535, 65536, 1 << 30, 1 << 31, 1 << 32, 1 << 63, 10**40, 0.5, 1e300, "", "0", "zz", "ab" * 8, "AB" * 8,
    "ff" * 32, "..", "../../boot.py", "\0", "\u20ac", [], {}, [[]], [1] * 20, {"gain_db": 3}, {"x": {}},
)  # fmt: skip
_SETTINGS: dict[str, tuple[Any, ...]] = {
    "vad_mode": (0, 3, "off"),
    "pre_roll_ms": (0, 600),
    "hang_over_ms": (0, 5000),
    "copies": (1, 4),
    "remove": ("at once", "never", "after days"),
    "remove_after_days": (1, 365),
    "clean_percent": (5, 95),
    "gain_db": (0, 42, "auto"),
    "colour": ("red",),
}
_WRONG_ERASE: tuple[Any, ...] = (
    None, True, 1, "", "all", "all recording", "All recordings", "ALL RECORDINGS", " all recordings", "all recordings ",
    "all  recordings", "all\u00a0recordings", "all recordings\0", "everything", ["all recordings"], {"all recordings": True},
)  # fmt: skip


def hostile_request(random: Random, recordings: Sequence[Recording]) -> Fields:
    """A request that a card answers or refuses, and that changes nothing but settings and clock."""
    fields = _right(random, random.choice(recordings))
    for _ in range(random.choice((0, 1, 1, 1, 2))):
        _spoil(random, fields)
    return fields


def wrong_words(random: Random, card: str) -> Fields:
    """A request to format the card of that name which is not quite that."""
    right: Fields = {"do": "format", "card": card, "erase": ERASE}
    wrong_name = random.choice(
        ("", None, True, 0, card.upper(), card[:-1], card + " ", card[::-1], [card], {"card": card})
    )
    wrong = random.choice(({"card": wrong_name}, {"erase": random.choice(_WRONG_ERASE)}, {"do": "Format"}))
    if random.random() < 0.2:
        return {name: value for name, value in right.items() if name not in wrong}
    return right | wrong


def _right(random: Random, one: Recording) -> Fields:
    about: Fields = {"n": one.number, "nonce": one.nonce.hex()}
    sectors = len(one.data) // 4096
    known: tuple[Fields, ...] = (
        {"do": "hello", "v": 1},
        {"do": "status"},
        {
            "do": "clock",
            "wall_ms": random.choice((1577836800000, 4102444800000)),
            "uncertainty_ms": 1,
            "offset_min": 60,
        },
        {"do": "list", "from": 0, "library": LIBRARY},
        {"do": "pull", **about, "from": random.randrange(sectors + 1)},
        {"do": "safe", **about, "sectors": sectors, "digest": random.randbytes(32).hex(), "library": LIBRARY},
        {"do": "revoke", **about, "library": LIBRARY},
        {"do": "stop"},
        {"do": "settings"},
        {"do": "set", "settings": _changes(random)},
        {"do": "counters"},
        {"do": "log"},
        {"do": "ledger", "from": 0},
        {"do": "image", "from": random.choice((0, 380))},
        {"do": "files", "from": random.choice((0, 60))},
        {"do": "update", **_step(random)},
        {"do": "measure", "part": random.choice(("memory", "flash", "screen"))},
        {"do": "bye"},
        {"do": "x"},
    )
    return random.choice(known)


def _step(random: Random) -> Fields:
    """Of an update: nothing that could be switched to comes of it."""
    path = random.choice(("/card/x.py", "/lib/y/z.py", "/main.py", "/data/boots", "/card/manifest"))
    steps: tuple[Fields, ...] = (
        {"step": "clear"},
        {"step": "open", "path": path},
        {"step": "copy", "path": path},
        {"step": "put", "at": random.choice((0, 3, 6)), "data": "AAAA"},
        {"step": "switch", "manifest": random.randbytes(32).hex()},
        {"step": "y"},
    )
    return random.choice(steps)


def _changes(random: Random) -> Any:
    names = random.sample(sorted(_SETTINGS), random.choice((0, 1, 2, 3)))
    wrong = random.random() < 0.5
    return {name: random.choice(VALUES if wrong else _SETTINGS[name]) for name in names}


def _spoil(random: Random, fields: Fields) -> None:
    name = random.choice(sorted(fields))
    how = random.randrange(4)
    if how == 0:
        del fields[name]
    elif how == 1:
        fields[random.choice(("n", "from", "library", "settings", "x"))] = random.choice(VALUES)
    elif name != "do":
        fields[name] = random.choice(VALUES)
    if not fields:
        fields["do"] = random.choice(VALUES)
