"""Cards that are wrong: an honest one behind a line that changes what it hears and says, each with the rules it breaks."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

from voicecard.device.client import Listed
from voicecard.device.conformance.line import Frame, coded, framed
from voicecard.device.port import Port
from voicecard.firmware.wire import frame, message, sector


class WrongCard(Port):
    """An honest card behind a line that changes what it hears and says."""

    def __init__(self, honest: Port, wrong: Wrong) -> None:
        self.path = honest.path
        self._honest = honest
        self._wrong = wrong
        self._requests = frame.FrameReader(frame.MAX_TO_CARD_BYTES)
        self._answers = frame.FrameReader(frame.MAX_TO_HOST_BYTES)

    def close(self) -> None:
        """The honest card is for others too."""

    def write(self, data: bytes) -> None:
        for _, sequence, payload in self._requests.feed(data):
            with_fields = payload[:1] == b"{" and payload[-1:] == b"}"
            self._wrong.last = sequence
            self._wrong.asked[sequence] = message.read_json(payload) if with_fields else {}
        self._honest.write(self._wrong.heard(data))

    def read(self, deadline: float) -> bytes:
        frames = self._answers.feed(self._honest.read(deadline))
        said = [self._wrong.said(Frame(kind, number, bytes(payload))) for kind, number, payload in frames]
        self._honest.write(self._wrong.late())
        return b"".join(said)


class Wrong:
    """How a card is wrong; `asked` has the requests by sequence number, `last` the last one's. This one is not wrong."""

    breaks: frozenset[str] = frozenset()

    def __init__(self) -> None:
        self.asked: dict[int, dict[str, Any]] = {}
        self.last = 0

    def heard(self, data: bytes) -> bytes:
        return data

    def late(self) -> bytes:
        """What the card hears only now."""
        return b""

    def said(self, said: Frame) -> bytes:
        return framed(said.kind, said.sequence, said.payload)


def answers(breaks: set[str], changed: Callable[[dict[str, Any], dict[str, Any]], dict[str, Any]]) -> type[Wrong]:
    """A card whose answers are changed: (request, answer's fields) to fields."""

    class Changed(Wrong):
        def said(self, said: Frame) -> bytes:
            if said.kind != message.ANSWER:
                return super().said(said)
            fields = changed(self.asked.get(said.sequence, {}), message.read_json(said.payload))
            return framed(said.kind, said.sequence, message.pack_json(fields))

    Changed.breaks = frozenset(breaks)
    return Changed


def sectors(breaks: set[str], changed: Callable[[dict[str, Any], bytearray], None]) -> type[Wrong]:
    """A card whose pulled sectors are changed: (request, payload of the sector frame), in place."""

    class Changed(Wrong):
        def said(self, said: Frame) -> bytes:
            payload = bytearray(said.payload)
            if said.kind == message.SECTOR and self.asked[said.sequence]["do"] == "pull":
                changed(self.asked[said.sequence], payload)
            return framed(said.kind, said.sequence, payload)

    Changed.breaks = frozenset(breaks)
    return Changed


class WrongSequence(Wrong):
    breaks = frozenset({"sequence numbers"})

    def said(self, said: Frame) -> bytes:
        return framed(said.kind, said.sequence or 1, said.payload)


class BadCrc(Wrong):
    """Once, when it is asked for its log."""

    breaks = frozenset({"log", "answer times", "whole frames"})

    def __init__(self) -> None:
        super().__init__()
        self._logs = 0

    def said(self, said: Frame) -> bytes:
        self._logs += self.asked[said.sequence] == {"do": "log"}
        if self._logs == 2:
            self._logs += 1
            return coded(bytes((said.kind, said.sequence)) + said.payload + bytes(4))
        return super().said(said)


class NoCrc(Wrong):
    """It takes frames whatever their CRC."""

    breaks = frozenset({"damaged frames", "link errors"})

    def heard(self, data: bytes) -> bytes:
        plain = bytearray(frame.MAX_TO_CARD_BYTES + 1)
        inside = data.strip(b"\0")
        size = frame.cobs_decode(inside, len(inside), plain)
        if data[:1] != b"\0" or size < frame.OVERHEAD_BYTES or size > frame.MAX_TO_CARD_BYTES:
            return data
        return framed(plain[0], plain[1], bytes(plain[2 : size - 4]))


class AnyType(Wrong):
    """It takes frames whatever their type."""

    breaks = frozenset({"other types"})

    def heard(self, data: bytes) -> bytes:
        plain = bytearray(frame.MAX_TO_CARD_BYTES + 1)
        inside = data.strip(b"\0")
        size = frame.cobs_decode(inside, len(inside), plain)
        other = data[:1] == b"\0" and size > frame.OVERHEAD_BYTES and plain[0] != message.REQUEST
        return framed(message.REQUEST, plain[1], bytes(plain[2 : size - 4])) if other else data


class TornExtra(Wrong):
    breaks = frozenset({"whole frames"})

    def said(self, said: Frame) -> bytes:
        return b"\0\x09noise\0" + super().said(said)


class Deaf(Wrong):
    """It hears nothing while it sends a recording."""

    breaks = frozenset({"ending a pull"})

    def __init__(self) -> None:
        super().__init__()
        self._pulling = False
        self._held = b""

    def heard(self, data: bytes) -> bytes:
        if self._pulling:
            self._held += data
            return b""
        self._pulling = bool(
            re.search(rb'"do": ?"pull", ?"n": ?[0-9]+, ?"nonce": ?"(?!0000)[0-9a-f]{16}", ?"from": ?0}', data)
        )
        return data

    def said(self, said: Frame) -> bytes:
        fields = message.read_json(said.payload) if said.kind == message.ANSWER else {}
        if fields.keys() & {"done", "error"}:
            self._pulling = False
        return super().said(said)

    def late(self) -> bytes:
        if self._pulling:
            return b""
        held, self._held = self._held, b""
        return held


class PartlySet(Wrong):
    """It makes those changes of settings that it can."""

    breaks = frozenset({"refused settings"})

    def heard(self, data: bytes) -> bytes:
        fields = self.asked.get(self.last, {})
        if fields.get("do") != "set" or not isinstance(fields.get("settings"), dict) or len(fields["settings"]) < 2:
            return data
        known = {name: value for name, value in fields["settings"].items() if name == "pre_roll_ms"}
        return framed(message.REQUEST, self.last, message.pack_json(fields | {"settings": known}))


def without_field(do: str, name: str, broken: str) -> type[Wrong]:
    """A card that claims to know a field of a request, and does not."""

    class Ignorant(Wrong):
        breaks = frozenset({broken})

        def heard(self, data: bytes) -> bytes:
            fields = self.asked.get(self.last, {})
            if fields.get("do") != do or name not in fields:
                return data
            known = {key: value for key, value in fields.items() if key != name}
            return framed(message.REQUEST, self.last, message.pack_json(known))

    return Ignorant


class AnyProof(Wrong):
    """It notes a recording as held whatever the digest."""

    breaks = frozenset({"proofs refused", "proof with the next pull"})

    def __init__(self, listed: Listed, digest: str) -> None:
        super().__init__()
        self._proof = {"n": listed.number, "nonce": listed.nonce, "sectors": listed.sectors}
        self._digest = digest

    def heard(self, data: bytes) -> bytes:
        fields = self.asked.get(self.last, {})
        if fields.get("do") != "safe" or not self._proof.items() <= fields.items():
            return data
        return framed(message.REQUEST, self.last, message.pack_json(fields | {"digest": self._digest}))


def out_of_order(request: dict[str, Any], payload: bytearray) -> None:
    if payload[1] == 0 and payload[0] in (1, 2):
        payload[0] ^= 3


def other_when_resumed(request: dict[str, Any], payload: bytearray) -> None:
    payload[3000] ^= request["from"] > 0


def cells_shown(request: dict[str, Any], payload: bytearray) -> None:
    payload[message.SECTOR_NUMBER_BYTES + sector.CELLS_AT] = 0


def other_recording(request: dict[str, Any], payload: bytearray) -> None:
    payload[message.SECTOR_NUMBER_BYTES + sector.HEADER_AT + 4] ^= 1


ALL_PULLS = {
    "pulling",
    "resuming",
    "pulled headers",
    "blank state cells",
    "ending a pull",
    "proofs refused",
}
WRONG_CARDS: dict[str, type[Wrong]] = {
    "honest": Wrong,
    "another sequence number": WrongSequence,
    "a bad CRC": BadCrc,
    "takes a bad CRC": NoCrc,
    "takes any type": AnyType,
    "noise between frames": TornExtra,
    "deaf while it sends": Deaf,
    "sets what it can": PartlySet,
    "one page at a time": without_field("list", "pages", "listing in one answer"),
    "a proof alone": without_field("safe", "then", "proof with the next pull"),
    "sectors out of order": sectors(ALL_PULLS, out_of_order),
    "other bytes when resumed": sectors({"resuming"}, other_when_resumed),
    "state cells shown": sectors({"blank state cells"}, cells_shown),
    "sectors of another recording": sectors({"pulled headers"}, other_recording),
    "any proof will do": answers(
        {"proofs refused", "proof with the next pull"},
        lambda asked, said: {"safe": True} if asked.get("do") == "safe" and said.get("error") == "digest" else said,
    ),
    "no features": answers(
        {"greeting", "features"}, lambda asked, said: {name: said[name] for name in said if name != "features"}
    ),
    "unknown is bad": answers(
        {"unknown requests"}, lambda asked, said: said | {"error": "bad"} if said.get("error") == "unknown" else said
    ),
    "to the prompt at any word": answers(
        {"the prompt"}, lambda asked, said: {"repl": True} if asked.get("do") == "repl" else said
    ),
    "counts nothing": answers(
        {"link errors"}, lambda asked, said: said | {"link_errors": 0} if "link_errors" in said else said
    ),
    "a clock of its own": answers(
        {"clock"}, lambda asked, said: said | {"wall_ms": 0} if asked.get("do") == "clock" else said
    ),
    "words for numbers": answers({"status"}, lambda asked, said: said | {"clean": "many"} if "clean" in said else said),
    "never done": answers(
        {"image", "pulling", "pulling from the end", "blank state cells", "proofs refused"},
        lambda asked, said: {} if "done" in said else said,
    ),
}


class HoardingCard(WrongCard):
    """It has a recording on its way before anybody can say stop, and keeps it for a host that does not read."""

    def __init__(self, honest: Port, wrong: Wrong) -> None:
        super().__init__(honest, wrong)
        self._hoard = b""

    def write(self, data: bytes) -> None:
        super().write(data)
        if self._wrong.asked.get(self._wrong.last, {}).get("do") == "pull":
            while not re.search(rb'"(done|error)"', self._hoard[-200:]):
                self._hoard += super().read(time.monotonic() + 5)

    def read(self, deadline: float) -> bytes:
        hoard, self._hoard = self._hoard, b""
        return hoard or super().read(deadline)


class Echo(Port):
    """A terminal that says back what it hears, as a prompt does."""

    def __init__(self) -> None:
        self.path = "/dev/echo"
        self.heard = b""
        self._said = 0

    def write(self, data: bytes) -> None:
        self.heard += data

    def read(self, deadline: float) -> bytes:
        said, self._said = self.heard[self._said :], len(self.heard)
        return said
