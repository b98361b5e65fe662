"""Fuzzes a card with bytes: noise, frames that are damaged, and frames that are whole and mean nothing. It goes on serving."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any

from soak.bench import Bench, running_bench
from soak.pool import Work
from soak.visit import Outcome, at, check_all, visit
from voicecard.firmware.wire import frame, message

BURST_S = 2.0  # of noise, before the card is asked whether it is well
BOUND_S = 60.0
MOST_MEMORY_BYTES = 48 << 20  # of the card's process, whose heap has 4 MB
_SECTORS = (1, 2, 7)
_READ_BYTES = 65_536
_QUIET_S, _LONGEST_ANSWERS_S = 0.7, 20.0
_VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 1, 2, 65535, 65536, 1 << 30, 1 << 31, 1 << 32, 1 << 63, 10**40, 0.5, "", "0", "zz", "ab" * 8, "ff" * 32,
    "..", "\0", "\u20ac", [], {}, [[]], [1] * 20, {"gain_db": 3}, {"gain_db": "x"}, {"x": {}},
)  # fmt: skip
# `format` and `restart` are left out: in the right words they do what they say. So is `set`: what it changes would stay.
_NAMES = (
    "hello", "status", "clock", "list", "pull", "safe", "revoke", "stop", "settings", "counters", "log", "ledger", "image", "bye", "x",
)  # fmt: skip
_FIELDS = ("v", "wall_ms", "uncertainty_ms", "from", "library", "n", "nonce", "sectors", "digest")


@contextmanager
def card_fuzzer(folder: Path) -> Iterator[Work]:
    """A worker with a card, whose tasks each fuzz it for a while."""
    with running_bench(folder, _SECTORS) as bench:
        yield lambda id: _fuzz(id, bench, folder / "library" / id)


def _fuzz(id: str, bench: Bench, library: Path) -> Outcome:
    """Noise, then a sync, which must bring everything as if nothing had been."""
    outcome = Outcome(id)
    bench.forget()
    sent = _make_noise(Random(f"fuzz {id}"), bench.port)
    outcome.endings.append(f"noise: {sent} bytes")
    if (ending := visit(at(bench.port), library, outcome)) != "done":
        outcome.wrong.append(f"after noise: {ending}")
    check_all(bench, library, outcome)
    if (size := bench.memory_bytes()) > MOST_MEMORY_BYTES:
        outcome.wrong.append(f"the card's process has grown to {size} bytes")
    if outcome.wrong:
        outcome.wrong.append(bench.last_words())
    return outcome


def _make_noise(random: Random, port: str) -> int:
    """Send as much as the card takes, and read what it says; at times do not read."""
    line = os.open(port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    until, sent = time.monotonic() + BURST_S, 0
    noise = b""
    try:
        while time.monotonic() < until:
            deaf = random.random() < 0.02
            if deaf:
                time.sleep(random.random() * 0.6)
            noise = noise or _piece(random)
            readable, writable, _ = select.select([line], [line], [], 0.1)
            if readable:
                os.read(line, _READ_BYTES)
            if writable:
                with suppress(BlockingIOError):
                    size = os.write(line, noise)
                    sent, noise = sent + size, noise[size:]
        _read_empty(line)
    finally:
        os.close(line)
    return sent


def _read_empty(line: int) -> None:
    """Read the answers to all requests that were among the noise: a host that does not would be in its own way."""
    until = time.monotonic() + _LONGEST_ANSWERS_S
    while time.monotonic() < until and select.select([line], [], [], _QUIET_S)[0]:
        os.read(line, _READ_BYTES)


def _piece(random: Random) -> bytes:
    """Noise, a frame that is damaged or of a kind that hosts do not send, or a request that is nonsense but whole."""
    how = random.randrange(8)
    if how == 0:
        return random.randbytes(random.choice((1, 20, 300, 3000)))
    if how == 1:
        return bytes(random.randrange(1, 256) for _ in range(random.choice((1, 255, 260, 5000))))
    wire = bytearray(_frame(random))
    if how == 2:
        wire[random.randrange(len(wire))] ^= 1 << random.randrange(8)
    elif how == 3:
        del wire[random.randrange(len(wire)) :]
    elif how == 4:
        return bytes(wire) * random.randrange(2, 20)
    return bytes(wire)


def _frame(random: Random) -> bytes:
    kind = message.REQUEST if random.random() < 0.9 else random.randrange(256)
    payload = message.pack_json(_request(random))
    if random.random() < 0.15:
        damaged = bytearray(payload)
        damaged[random.randrange(len(damaged))] = random.randrange(256)
        payload = random.choice((bytes(damaged), payload[: random.randrange(len(payload))], b"[" * 200, b"{}", b""))
    writer = frame.FrameWriter(frame.MAX_TO_HOST_BYTES)  # also frames that are too long for the card
    return bytes(writer.frame(kind, random.randrange(256), payload))


def _request(random: Random) -> dict[str, Any]:
    fields = {name: random.choice(_VALUES) for name in random.sample(_FIELDS, random.randrange(4))}
    if random.random() < 0.3:
        fields |= {"n": random.choice((1, 2, 3)), "from": random.choice((0, 1, 7))}
    return {"do": random.choice(_NAMES), **fields}
