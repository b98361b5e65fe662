"""Fuzzes a card: noise, frames that are damaged, and requests that are whole and mean harm. It goes on serving."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random

from soak.bench import Bench, running_bench
from soak.kinds import Kind
from soak.pool import Work
from soak.requests import Fields, hostile_request
from soak.visit import Outcome, at, check_all, visit
from voicecard.device.client import CardLink
from voicecard.errors import DeviceError
from voicecard.firmware.wire import frame, message

BURST_S = 2.0  # of noise, before the card is asked whether it is well
BOUND_S = 60.0
MOST_MEMORY_BYTES = 48 << 20  # of the card's process, whose heap has 4 MB at most
_SECTORS = (1, 2, 7)
_READ_BYTES = 65_536
_AGAIN_S, _LONGEST_ANSWERS_S = 3.0, 20.0
_OURS = 255  # a sequence number that no noise has


@contextmanager
def card_fuzzer(kind: Kind, folder: Path) -> Iterator[Work]:
    """A worker with a card, whose tasks each fuzz it for a while."""
    with running_bench(folder, _SECTORS, kind) as bench:
        yield lambda id: _fuzz(id, bench, folder / "library" / id)


def _fuzz(id: str, bench: Bench, library: Path) -> Outcome:
    """Noise, then a sync, which must bring everything as if nothing had been."""
    outcome, random = Outcome(id), Random(f"fuzz {id}")
    bench.forget()
    sent = make_noise(random, bench.port, lambda: hostile_request(random, bench.recordings), BURST_S)
    outcome.endings.append(f"noise: {sent} bytes")
    try:
        check_well(bench, outcome)
        if (ending := visit(at(bench.port), library, outcome)) != "done":
            outcome.wrong.append(f"after noise: {ending}")
        check_all(bench, library, outcome)
    except DeviceError as error:
        outcome.wrong.append(f"after noise: {error}")
    if outcome.wrong:
        outcome.wrong.append(bench.last_words())
    return outcome


def check_well(bench: Bench, outcome: Outcome) -> None:
    """No noise is a proof, or changes a recording; settings are what settings may be, and are put back; memory has not grown."""
    if proved := [recording.number for recording in bench.recordings if bench.holders(recording)]:
        outcome.wrong.append(f"noise has proved the recordings {proved}")
    if not bench.is_untouched():
        outcome.wrong.append("noise has changed the recordings")
    with CardLink.open(bench.port) as link:
        known = link.settings()
        for name, about in known.items():
            allowed = about["allowed"]
            legal = range(allowed["from"], allowed["to"] + 1) if isinstance(allowed, dict) else allowed
            if about["value"] not in legal or isinstance(about["value"], bool):
                outcome.wrong.append(f"noise has set {name} to {about['value']!r}")
        link.set({name: about["default"] for name, about in known.items()})
    if (size := bench.memory_bytes()) > MOST_MEMORY_BYTES:
        outcome.wrong.append(f"the card's process has grown to {size} bytes")


def make_noise(random: Random, port: str, request: Callable[[], Fields], seconds: float) -> int:
    """Send as much as the card takes for a while, and read what it says; at times do not read. Returns the bytes sent."""
    line = os.open(port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    until, sent = time.monotonic() + seconds, 0
    noise = b""
    try:
        while time.monotonic() < until:
            if random.random() < 0.02:
                time.sleep(random.random() * 0.6)
            noise = noise or _piece(random, request)
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
    """Greet the card and read until it answers: what it says to the requests among the noise comes first. A host that does
    not wait for that, on a machine however slow, would be in its own way."""
    reader = frame.FrameReader(frame.MAX_TO_HOST_BYTES)
    greeting = bytes(frame.FrameWriter(frame.MAX_TO_CARD_BYTES).frame(message.REQUEST, _OURS, b'{"do":"hello"}'))
    until = time.monotonic() + _LONGEST_ANSWERS_S
    while time.monotonic() < until:
        with suppress(BlockingIOError):
            os.write(line, b"\0" + greeting)  # behind whatever is incomplete
        again = time.monotonic() + _AGAIN_S
        while (left_s := again - time.monotonic()) > 0 and select.select([line], [], [], left_s)[0]:
            for kind, sequence, _ in reader.feed(os.read(line, _READ_BYTES)):
                if (kind, sequence) == (message.ANSWER, _OURS):
                    return


def _piece(random: Random, request: Callable[[], Fields]) -> bytes:
    """Noise, a frame that is damaged or of a kind that hosts do not send, or a request that is whole."""
    how = random.randrange(8)
    if how == 0:
        return random.randbytes(random.choice((1, 20, 300, 3000)))
    if how == 1:
        return bytes(random.randrange(1, 256) for _ in range(random.choice((1, 255, 260, 5000))))
    wire = bytearray(_frame(random, request()))
    if how == 2:
        wire[random.randrange(len(wire))] ^= 1 << random.randrange(8)
    elif how == 3:
        del wire[random.randrange(len(wire)) :]
    elif how == 4:
        return bytes(wire) * random.randrange(2, 20)
    return bytes(wire)


def _frame(random: Random, fields: Fields) -> bytes:
    kind = message.REQUEST if random.random() < 0.9 else random.randrange(256)
    payload = message.pack_json(fields)
    if random.random() < 0.1:
        damaged = bytearray(payload)
        damaged[random.randrange(len(damaged))] = random.randrange(256)
        payload = random.choice((bytes(damaged), payload[: random.randrange(len(payload))], b"[" * 200, b"{}", b""))
    writer = frame.FrameWriter(frame.MAX_TO_HOST_BYTES)  # also frames that are too long for the card
    return bytes(writer.frame(kind, random.randrange(_OURS), payload))
