"""Requests and answers on an open port: what is lost on the line is asked for again, and every wait ends."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from typing import Any

from voicecard.device.port import Port
from voicecard.errors import LinkLostError, RefusedError
from voicecard.firmware.wire import frame, message
from voicecard.firmware.wire.sector import SECTOR_BYTES

ANSWER_S = 5.0
TRIES = 3
_MOST_SAID = 200
_LATEST_S = 30.0  # a card that babbles without answering is not listened to for longer


class Conversation:
    """Raises RefusedError when the card says no, LinkLostError when it is silent or gone."""

    def __init__(self, port: Port) -> None:
        self.port = port
        self._reader = frame.FrameReader(frame.MAX_TO_HOST_BYTES)
        self._writer = frame.FrameWriter(frame.MAX_TO_CARD_BYTES)
        self._frames: list[tuple[int, int, bytes]] = []
        self._sequence = secrets.randbits(8)  # else answers to an earlier program could pass for this one's

    def ask(self, do: str, timeout_s: float = ANSWER_S, tries: int = TRIES, **fields: Any) -> dict[str, Any]:
        """Send a request until it is answered; returns the answer's fields."""
        return self._fields(self.ask_for(message.ANSWER, do, timeout_s, tries, **fields))

    def ask_once(self, asked: bytes, sequence: int, timeout_s: float) -> dict[str, Any] | None:
        """Send a request's frame as it is, once; returns the answer's fields, or None if none comes."""
        self._sequence = sequence
        self._frames.clear()
        self.port.write(asked)
        payload = self._wait(message.ANSWER, timeout_s)
        return None if payload is None else self._fields(payload)

    def ask_for(self, kind: int, do: str, timeout_s: float = ANSWER_S, tries: int = TRIES, **fields: Any) -> bytes:
        """Send a request until a frame of this kind answers it; returns that frame's payload."""
        for _ in range(tries):
            self.send(do, **fields)
            payload = self._wait(kind, timeout_s)
            if payload is not None:
                return payload
        raise LinkLostError(
            f"the card on {self.port.path} stopped answering: nothing is lost, plug it in again and retry"
        )

    def sectors(self, do: str, first: int, total: int, **fields: Any) -> Iterator[bytes]:
        """The sectors (4096 bytes each) from index `first` up to `total` that a request streams, asking again for lost ones."""
        wanted, failures = first, 0
        while wanted < total:
            before = wanted
            for index, sector in self._stream(do, wanted, total, **fields):
                if index != wanted:
                    break
                yield sector
                wanted += 1
            if wanted < total:
                failures = 0 if wanted > before else failures + 1
                if failures == TRIES:
                    raise LinkLostError(f"sector {wanted} does not arrive from the card: try another cable or port")
                self.ask("stop")

    def send(self, do: str, **fields: Any) -> None:
        self._sequence = (self._sequence + 1) & 0xFF
        self._frames.clear()
        payload = message.pack_json({"do": do, **fields})
        self.port.write(bytes(self._writer.frame(message.REQUEST, self._sequence, payload)))

    def _stream(self, do: str, first: int, total: int, **fields: Any) -> Iterator[tuple[int, bytes]]:
        self.ask(do, **{"from": first}, **fields)
        at = message.SECTOR_NUMBER_BYTES
        for _ in range(total - first):
            payload = self._wait(message.SECTOR, ANSWER_S)
            if payload is None or len(payload) != at + SECTOR_BYTES:
                return
            yield int.from_bytes(payload[:at], "little"), payload[at:]
        self._wait(message.ANSWER, ANSWER_S)

    def _wait(self, kind: int, timeout_s: float) -> bytes | None:
        """The payload of the next frame of this kind for the last request; None when the card is silent, or ended with another."""
        deadline = time.monotonic() + timeout_s
        latest = deadline + _LATEST_S
        while time.monotonic() < latest:
            while self._frames:
                got, sequence, payload = self._frames.pop(0)
                if sequence != self._sequence:
                    continue
                if got == kind:
                    return payload
                if got == message.ANSWER:
                    self._fields(payload)  # raises what the card refuses
                    return None
            data = self.port.read(deadline)
            if not data:
                return None
            deadline = min(time.monotonic() + timeout_s, latest)
            self._frames += [(got, seq, bytes(payload)) for got, seq, payload in self._reader.feed(data)]
        return None

    def _fields(self, payload: bytes) -> dict[str, Any]:
        try:
            fields: dict[str, Any] = message.read_json(payload)
        except ValueError as error:
            raise LinkLostError(
                f"the card on {self.port.path} sent an answer that cannot be read: update the card or this program"
            ) from error
        if "error" in fields:
            raise _refusal(str(fields["error"]), fields)
        return fields


def _refusal(code: str, fields: dict[str, Any]) -> RefusedError:
    if code == message.UNKNOWN:
        return RefusedError("the card's firmware is older than this program and cannot do that: update the card", code)
    return RefusedError(f"the card refused: {_printable(fields.get('say', code))}", code)


def _printable(said: object) -> str:
    """What a card said, fit for a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in str(said)[:_MOST_SAID])
