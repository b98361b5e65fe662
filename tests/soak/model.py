"""A card as PROTOCOL.md has it, in a few lines of the host's own language and without time: requests in, frames out.

For tests of the host alone. It keeps what a host proves to it in `held`: (number, library)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from soak.bench import CARD, Recording
from soak.faults import TO_CARD, TO_HOST, Fault
from soak.proxy import HangUpError, Way
from voicecard.device.port import Port
from voicecard.errors import LinkLostError
from voicecard.firmware.wire import frame, message
from voicecard.firmware.wire.sector import SECTOR_BYTES

Frame = tuple[int, bytes]
_PATIENCE_S = 10.0  # passes at once when a host waits in vain
_MOST_READS = 20_000


class ModelCard:
    """`frames(request)`: those that answer it."""

    def __init__(self, recordings: Sequence[Recording]) -> None:
        self.recordings = list(recordings)
        self.held: set[tuple[int, str]] = set()

    def frames(self, request: dict[str, Any]) -> Iterator[Frame]:
        do = request.get("do")
        if do == "list":
            yield message.LISTING, self.listing(request["from"], request.get("library", ""))
        elif do == "pull":
            yield from self._pull(self._recording(request), request["from"])
        elif do == "safe" and self._recording(request).digest.hex() != request["digest"]:
            yield _answer({"error": message.DIGEST, "say": "not that"})
        else:
            yield _answer(self._simple(do, request))

    def listing(self, first: int, library: str) -> bytes:
        entries = [self.entry(recording, library) for recording in self.recordings][first : first + 64]
        payload = bytearray(message.LISTING_HEADER_BYTES + len(entries) * message.ENTRY_BYTES)
        message.pack_listing_header(payload, 7, first, len(self.recordings))
        for index, entry in enumerate(entries):
            message.pack_entry(payload, index, entry)
        return bytes(payload)

    def entry(self, recording: Recording, library: str) -> message.Entry:
        mine = (recording.number, library) in self.held
        flags = message.LISTED_ENDED | (message.LISTED_MINE | message.LISTED_SAFE if mine else 0)
        sectors = len(recording.data) // SECTOR_BYTES
        return message.Entry(recording.nonce, recording.number, 1, 4800, sectors, flags, 1, int(mine))

    def held_by(self, library: str) -> list[Recording]:
        return [recording for recording in self.recordings if (recording.number, library) in self.held]

    def is_untouched(self) -> bool:
        return True

    def _simple(self, do: str | None, request: dict[str, Any]) -> dict[str, Any]:
        if do == "hello":
            return {"v": 1, "card": CARD, "fw": "0.1.0", "boot": 1, "ticks_us": 5_000_000, "features": []}
        if do == "safe":
            self.held.add((self._recording(request).number, request["library"]))
            return {"safe": True}
        if do == "revoke":
            self.held.discard((self._recording(request).number, request["library"]))
            return {"revoked": True}
        return {"clock": {"wall_ms": request.get("wall_ms")}, "stop": {"stopped": True}, "bye": {"bye": True}}.get(
            str(do), {"error": message.UNKNOWN, "say": "this card does not know that request"}
        )

    def _pull(self, recording: Recording, first: int) -> Iterator[Frame]:
        sectors = len(recording.data) // SECTOR_BYTES
        yield _answer({"sectors": sectors, "open": False})
        for index in range(first, sectors):
            data = recording.data[index * SECTOR_BYTES : (index + 1) * SECTOR_BYTES]
            yield message.SECTOR, index.to_bytes(message.SECTOR_NUMBER_BYTES, "little") + data
        yield _answer({"done": True})

    def _recording(self, request: dict[str, Any]) -> Recording:
        return next(one for one in self.recordings if (one.number, one.nonce.hex()) == (request["n"], request["nonce"]))


class ModelPort(Port):
    """A line to a model of a card, with faults. A wait in vain takes no time: it lets that of the faults pass."""

    def __init__(self, card: ModelCard, faults: Sequence[Fault] = (), chunk_bytes: int = 4096) -> None:
        self.path = "/dev/model"
        self._card = card
        self._ways = {way: Way([fault for fault in faults if fault.way == way]) for way in (TO_CARD, TO_HOST)}
        self._reader = frame.FrameReader(frame.MAX_TO_CARD_BYTES)
        self._writer = frame.FrameWriter(frame.MAX_TO_HOST_BYTES)
        self._chunk_bytes = chunk_bytes
        self._now = 0.0
        self._reads = 0
        self._gone = False

    def close(self) -> None:
        self._gone = True

    def write(self, data: bytes) -> None:
        self._move(data)

    def read(self, deadline: float) -> bytes:
        self._reads += 1
        assert self._reads < _MOST_READS, "the host reads for ever"
        data = self._arrived()
        if not data:
            self._now += _PATIENCE_S
            self._move(b"")
            data = self._arrived()
        return data

    def _move(self, data: bytes) -> None:
        if self._gone:
            raise LinkLostError("the card is gone")
        try:
            self._ways[TO_CARD].take(data, self._now)
            arrived = b"".join(_drained(self._ways[TO_CARD]))
            self._ways[TO_HOST].take(b"".join(self.answers(arrived)), self._now)
        except HangUpError:
            self._gone = True

    def answers(self, data: bytes) -> Iterator[bytes]:
        """What the card says to bytes that reach it; a request that is none, or about nothing it has, is not answered."""
        for kind, sequence, payload in self._reader.feed(data):
            assert kind == message.REQUEST
            for answer, content in self._card.frames(message.read_json(payload)):
                yield bytes(self._writer.frame(answer, sequence, content))

    def _arrived(self) -> bytes:
        way = self._ways[TO_HOST]
        data = way.due()[: self._chunk_bytes]
        if data:
            way.gone(len(data))
        return data


def _answer(fields: dict[str, Any]) -> Frame:
    return message.ANSWER, message.pack_json(fields)


def _drained(way: Way) -> Iterator[bytes]:
    while piece := way.due():
        way.gone(len(piece))
        yield piece
