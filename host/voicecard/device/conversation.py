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
        """Send a request's frame as it is, once; returns the answer's fields, or None if none comes, whatever else does."""
        self._sequence = sequence
        self._frames.clear()
        self.port.write(asked)
        payload = self._wait(message.ANSWER, timeout_s, within_s=timeout_s)
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

    def further(self, kind: int) -> bytes | None:
        """The payload of the next frame of this kind that answers the last request; None when none comes."""
        return self._wait(kind, ANSWER_S)

    def sectors(self, do: str, first: int, total: int, begun: bool = False, **fields: Any) -> Iterator[bytes]:
        """The sectors (4096 bytes each) from index `first` up to `total` that a request streams, asking again for lost ones.

        `begun`: the last request was another one, whose answer such a stream follows."""
        wanted, failures = first, 0
        while wanted < total:
            before = wanted
            if not begun:
                self.send(do, **{"from": wanted}, **fields)
            begun = False
            for index, sector in self._stream(wanted, total):
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

    def _stream(self, first: int, total: int) -> Iterator[tuple[int, bytes]]:
        """Sectors up to the first that is missing; the answer before them may be lost. Raises RefusedError."""
        begin = self._frame(ANSWER_S, time.monotonic() + ANSWER_S + _LATEST_S)
        if begin and begin[0] == message.ANSWER:
            self._fields(begin[1])
        elif begin:
            self._frames.insert(0, (begin[0], self._sequence, begin[1]))
        at = message.SECTOR_NUMBER_BYTES
        for _ in range(total - first):
            payload = self._wait(message.SECTOR, ANSWER_S)
            if payload is None or len(payload) != at + SECTOR_BYTES:
                return
            yield int.from_bytes(payload[:at], "little"), payload[at:]
        self._wait(message.ANSWER, ANSWER_S)

    def _wait(self, kind: int, timeout_s: float, within_s: float | None = None) -> bytes | None:
        """The payload of the next frame of this kind for the last request; None when the card is silent, or ended with another."""
        latest = time.monotonic() + (timeout_s + _LATEST_S if within_s is None else within_s)
        while frame := self._frame(timeout_s, latest):
            got, payload = frame
            if got == kind:
                return payload
            if got == message.ANSWER:
                self._fields(payload)  # raises what the card refuses
                return None
        return None

    def _frame(self, timeout_s: float, latest: float) -> tuple[int, bytes] | None:
        """The next frame (type, payload) for the last request; None when the card is silent for so long, or `latest` has passed."""
        deadline = min(time.monotonic() + timeout_s, latest)
        while time.monotonic() < latest:
            while self._frames:
                got, sequence, payload = self._frames.pop(0)
                if sequence == self._sequence:
                    return got, payload
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
