"""The link's host side: one method a request of PROTOCOL.md."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from voicecard.device.port import Port
from voicecard.errors import LinkLostError, NoCardError, RefusedError
from voicecard.firmware.wire import frame, message
from voicecard.firmware.wire.sector import SECTOR_BYTES

ANSWER_S = 5.0
GREETING_S = 1.0
PROOF_S = 120.0
_LATEST_S = 30.0  # a card that babbles without answering is not listened to for longer
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Hello:
    """Who the card is. `ticks_us` are microseconds since its boot, at `heard_at` (Unix time, s, within `uncertainty_s`)."""

    card: str
    firmware: str
    boot: int
    ticks_us: int
    heard_at: float
    uncertainty_s: float


@dataclass(frozen=True, slots=True)
class Listed:
    """A recording on the card."""

    number: int
    nonce: str
    boot: int
    samples: int
    sectors: int
    ended: bool
    safe: bool
    reason: int


class CardLink:
    """A conversation with the card on an open port. Requests raise RefusedError when the card says no, LinkLostError when it is silent."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self._reader = frame.FrameReader(frame.MAX_TO_HOST_BYTES)
        self._writer = frame.FrameWriter(frame.MAX_TO_CARD_BYTES)
        self._frames: list[tuple[int, int, bytes]] = []
        self._sequence = 0
        self.hello = self._greet()

    @classmethod
    def open(cls, path: str) -> CardLink:
        """Open a port and greet the card there. Raises NoCardError if what is there is none."""
        port = Port(path)
        try:
            return cls(port)
        except BaseException:
            port.close()
            raise

    def __enter__(self) -> CardLink:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Take leave, if the card still listens, and let go of the port."""
        try:
            self._send("bye")
        except LinkLostError:
            pass
        finally:
            self._port.close()

    def status(self) -> dict[str, Any]:
        return self._ask("status")

    def set_clock(self) -> None:
        self._ask("clock", wall_ms=int(time.time() * 1000), uncertainty_ms=int(self.hello.uncertainty_s * 1000) + 1)

    def recordings(self) -> list[Listed]:
        """All recordings on the card, in the order of their numbers."""
        for _ in range(_TRIES):
            entries: list[Listed] = []
            generation = None
            while True:
                listing = self._listing(len(entries))
                if generation not in (None, listing.generation) or listing.first != len(entries):
                    break  # the list changed under way: start again
                generation = listing.generation
                entries += [_listed(entry) for entry in listing.entries]
                if len(entries) >= listing.total:
                    return entries
                if not listing.entries:
                    break
        raise LinkLostError("the card's list of recordings keeps changing: stop recording and try again")

    def pull(self, listed: Listed, first: int) -> Iterator[bytes]:
        """The recording's sectors (4096 bytes each) from number `first` on, asking again for what the line lost."""
        wanted, failures = first, 0
        while wanted < listed.sectors:
            before = wanted
            for number, sector in self._stream(listed, wanted):
                if number != wanted:
                    break
                yield sector
                wanted += 1
            if wanted < listed.sectors:
                failures = 0 if wanted > before else failures + 1
                if failures == _TRIES:
                    raise LinkLostError(f"sector {wanted} does not arrive from the card: try another cable or port")
                self._ask("stop")

    def prove(self, listed: Listed, digest: str, library: str) -> None:
        """Tell the card that a library holds a recording with this SHA-256. Raises RefusedError if it holds something else."""
        self._ask(
            "safe",
            PROOF_S,
            n=listed.number,
            nonce=listed.nonce,
            sectors=listed.sectors,
            digest=digest,
            library=library,
        )

    def _greet(self) -> Hello:
        for _ in range(_TRIES):
            asked = time.time()
            try:
                answer = self._ask("hello", GREETING_S, tries=1, v=message.VERSION)
            except LinkLostError as error:
                if error.__cause__ is not None:
                    raise
                continue
            heard = time.time()
            return _hello(self._port.path, answer, (asked + heard) / 2, (heard - asked) / 2)
        raise NoCardError(
            f"what is on {self._port.path} does not answer as a voicecard: choose another port, or flash the board first"
        )

    def _ask(self, do: str, timeout_s: float = ANSWER_S, tries: int = _TRIES, **fields: object) -> dict[str, Any]:
        """Send a request until it is answered; returns the answer's fields."""
        for _ in range(tries):
            self._send(do, **fields)
            payload = self._wait(message.ANSWER, timeout_s)
            if payload is not None:
                return self._fields(payload)
        raise self._silent()

    def _listing(self, first: int) -> message.Listing:
        for _ in range(_TRIES):
            self._send("list", **{"from": first})
            payload = self._wait(message.LISTING, ANSWER_S)
            if payload is not None:
                with suppress(ValueError):
                    listing: message.Listing = message.read_listing(payload)
                    return listing
        raise self._silent()

    def _stream(self, listed: Listed, first: int) -> Iterator[tuple[int, bytes]]:
        self._ask("pull", n=listed.number, nonce=listed.nonce, **{"from": first})
        for _ in range(listed.sectors - first):
            payload = self._wait(message.SECTOR, ANSWER_S)
            if payload is None or len(payload) != message.SECTOR_NUMBER_BYTES + SECTOR_BYTES:
                return
            yield (
                int.from_bytes(payload[: message.SECTOR_NUMBER_BYTES], "little"),
                payload[message.SECTOR_NUMBER_BYTES :],
            )
        self._wait(message.ANSWER, ANSWER_S)

    def _send(self, do: str, **fields: object) -> None:
        self._sequence = (self._sequence + 1) & 0xFF
        self._frames.clear()
        payload = message.pack_json({"do": do, **fields})
        self._port.write(bytes(self._writer.frame(message.REQUEST, self._sequence, payload)))

    def _wait(self, kind: int, timeout_s: float) -> bytes | None:
        """The payload of the next frame of this kind for the last request; None when the card is silent, or ended with another."""
        deadline = time.monotonic() + timeout_s
        latest = deadline + _LATEST_S
        while True:
            while self._frames:
                got, sequence, payload = self._frames.pop(0)
                if sequence != self._sequence:
                    continue
                if got == kind:
                    return payload
                if got == message.ANSWER:
                    self._fields(payload)  # raises what the card refuses
                    return None
            data = self._port.read(deadline)
            if not data:
                return None
            deadline = min(time.monotonic() + timeout_s, latest)
            self._frames += [(got, seq, bytes(payload)) for got, seq, payload in self._reader.feed(data)]

    def _fields(self, payload: bytes) -> dict[str, Any]:
        try:
            fields: dict[str, Any] = message.read_json(payload)
        except ValueError as error:
            raise LinkLostError(f"the card on {self._port.path} sent an answer that cannot be read: {error}") from error
        if "error" in fields:
            code = str(fields["error"])
            raise RefusedError(f"the card refused: {fields.get('say', code)}", code)
        return fields

    def _silent(self) -> LinkLostError:
        return LinkLostError(
            f"the card on {self._port.path} stopped answering: nothing is lost, plug it in again and retry"
        )


def _hello(path: str, answer: dict[str, Any], heard_at: float, uncertainty_s: float) -> Hello:
    card, firmware = answer.get("card"), answer.get("fw")
    boot, ticks_us = answer.get("boot"), answer.get("ticks_us")
    if not (
        isinstance(card, str) and isinstance(firmware, str) and isinstance(boot, int) and isinstance(ticks_us, int)
    ):
        raise NoCardError(f"what is on {path} greets in another way than a voicecard: update this program or the card")
    return Hello(card, firmware, boot, ticks_us, heard_at, uncertainty_s)


def _listed(entry: message.Entry) -> Listed:
    return Listed(
        number=entry.recording,
        nonce=entry.nonce.hex(),
        boot=entry.boot,
        samples=entry.samples,
        sectors=entry.sectors,
        ended=bool(entry.flags & message.LISTED_ENDED),
        safe=bool(entry.flags & message.LISTED_SAFE),
        reason=entry.reason,
    )
