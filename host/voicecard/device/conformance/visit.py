"""A visit to a card: requests whose answers are held to the protocol. What is not as it should be raises BrokenError."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from voicecard.device.conformance.line import Frame, Line, request
from voicecard.device.conformance.rule import BrokenError, NotTriedError, broken, need
from voicecard.device.port import Port
from voicecard.errors import NoCardError
from voicecard.firmware.wire import message
from voicecard.firmware.wire.sector import SECTOR_BYTES

ANSWER_S = 5.0
_GREETING_S = 1.0
_GREETINGS = 3
_QUIET_S = 0.3
_LIBRARY_BYTES = 3
_RESERVED_BYTES = 3  # at the end of a listing entry
_NO_STORE = (message.FLASH, message.BUSY)

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Streamed:
    """What a pull or an image brought: the answer it began with, its sectors, and whether it came to its end."""

    answer: Fields
    sectors: list[bytes]
    done: bool


class Visit:
    """Greets what is on the port, three times a second apart. Raises NoCardError when that is no card.

    `library` is an id of this visit alone; `may_write` allows to have it noted in a recording and taken back."""

    def __init__(self, port: Port, may_write: bool) -> None:
        self.line = Line(port)
        self.may_write = may_write
        self.library = secrets.token_hex(_LIBRARY_BYTES)
        self.slowest_s, self.slowest_request = 0.0, ""
        self.silences = 0
        self.hello = self._greet(port.path)
        self.silences = 0  # of the greeting: it is repeated sooner

    def ask(self, fields: Fields, within_s: float = ANSWER_S) -> Fields:
        """The fields that answer a request, an error's too."""
        return self.answer(self.send(fields), fields, within_s)

    def told(self, fields: Fields, within_s: float = ANSWER_S) -> Fields:
        """The fields that answer a request that may not be refused."""
        answer = self.ask(fields, within_s)
        need("error" not in answer, f"{_name(fields)} is refused: {answer.get('error')!r}")
        return answer

    def refused(self, code: str, *requests: Fields, within_s: float = ANSWER_S) -> None:
        """Each of the requests is refused with this error, in a sentence."""
        for fields in requests:
            answer = self.ask(fields, within_s)
            need(answer.get("error") == code, f"{fields} is answered by {answer}, not by the error {code!r}")
            need(isinstance(answer.get("say"), str), f"the error {code!r} lacks a sentence in `say`")

    def send(self, fields: Fields) -> int:
        sequence = self.line.next_sequence()
        self.line.write(request(sequence, fields))
        return sequence

    def answer(self, sequence: int, fields: Fields, within_s: float = ANSWER_S) -> Fields:
        return self.fields_of(self.frame(sequence, fields, within_s), message.ANSWER, _name(fields))

    def frame(self, sequence: int, fields: Fields, within_s: float = ANSWER_S) -> Frame:
        """The next frame with this number; others answer what went before."""
        began = time.monotonic()
        while (left_s := began + within_s - time.monotonic()) > 0:
            frame = self.line.frame(left_s)
            if frame and frame.sequence == sequence:
                self._note_time(fields, time.monotonic() - began)
                return frame
        self.silences += 1
        broken(f"{_name(fields)} is not answered within {within_s:g} s")

    def fields_of(self, frame: Frame, kind: int, what: str) -> Fields:
        need(frame.kind == kind, f"{what} is answered by a frame of type {frame.kind}, not {kind}")
        try:
            fields: Fields = message.read_json(frame.payload)
        except ValueError:
            broken(f"the answer to {what} is no JSON object of at most {message.MAX_JSON_BYTES} bytes")
        return fields

    def need_feature(self, do: str) -> None:
        """Raises NotTriedError for a request that the card does not list."""
        features = self.hello.get("features")
        if isinstance(features, list) and do not in features:
            raise NotTriedError(f"the card does not offer `{do}`")

    def need_idle(self) -> None:
        if (state := self.told({"do": "status"}).get("state")) != "idle":
            raise NotTriedError(f"the card's state is {state!r}")

    def listing(self, first: int, library: str | None = None) -> message.Listing:
        """One page of the list. Raises NotTriedError when the card has no store to list."""
        fields = {"do": "list", "from": first} | ({"library": library} if library else {})
        return self.page(self.send(fields), fields)

    def page(self, sequence: int, fields: Fields) -> message.Listing:
        """The next listing frame that answers a `list` with this number. Raises NotTriedError when the card has no store to list."""
        frame = self.frame(sequence, fields)
        if frame.kind == message.ANSWER:
            answer = self.fields_of(frame, message.ANSWER, "`list`")
            if answer.get("error") in _NO_STORE:
                raise NotTriedError(f"the card has no recordings to serve: {answer.get('say')}")
            broken(f"{fields} is answered by {answer}")
        need(frame.kind == message.LISTING, f"`list` is answered by a frame of type {frame.kind}")
        try:
            listing: message.Listing = message.read_listing(frame.payload)
        except ValueError:
            broken(f"a listing of {len(frame.payload)} bytes is no listing")
        for end in range(
            message.LISTING_HEADER_BYTES + message.ENTRY_BYTES, len(frame.payload) + 1, message.ENTRY_BYTES
        ):
            need(not any(frame.payload[end - _RESERVED_BYTES : end]), "an entry's reserved bytes are not 0")
        return listing

    def entries(self, library: str | None = None) -> list[message.Entry]:
        """The whole list, begun again when it changes meanwhile."""
        for _ in range(_GREETINGS):
            pages = list(self._pages(library))
            if len({page.generation for page in pages}) == 1:
                return [entry for page in pages for entry in page.entries]
        raise NotTriedError("the list keeps changing")

    def closed(self) -> list[message.Entry]:
        """The recordings that have ended, shortest first; at least one."""
        found = [entry for entry in self.entries() if entry.flags & message.LISTED_ENDED]
        if not found:
            raise NotTriedError("no recording that has ended is on the card")
        return sorted(found, key=lambda entry: entry.sectors)

    def stream(self, fields: Fields, at_most: int) -> Streamed:
        """Sectors in order from the field `from` on; `stop` is sent when `at_most` have come and more are to come."""
        return self.streamed(self.send(fields), fields, at_most)

    def streamed(self, sequence: int, fields: Fields, at_most: int) -> Streamed:
        """Like `stream`, for what a request with this number has begun."""
        answer = self.answer(sequence, fields)
        need("error" not in answer, f"{_name(fields)} is refused: {answer.get('error')!r}")
        total = answer.get("sectors")
        need(type(total) is int and total >= 0, f"{_name(fields)} is answered without `sectors`")
        sectors: list[bytes] = []
        while len(sectors) < at_most or fields["from"] + at_most == total:
            frame = self.frame(sequence, fields)
            index = fields["from"] + len(sectors)
            if frame.kind != message.SECTOR:
                end = self.fields_of(frame, message.ANSWER, _name(fields))
                need(end.get("done") is True, f"{_name(fields)} ends with {end}, not with `done`: true")
                need(index == total, f"{_name(fields)} is done at sector {index} of {total}")
                return Streamed(answer, sectors, done=True)
            need(index < total, f"{_name(fields)} sends more than {total} sectors")
            sectors.append(sector_of(frame, index))
        self.told({"do": "stop"})
        return Streamed(answer, sectors, done=False)

    def interrupted(self, fields: Fields, by: Fields) -> int:
        """Begin a stream, send another request after its first sector; returns how many sectors came up to the answer.

        What comes in between has to go on in order; `done` may be there if the stream was short."""
        stream = self.send(fields)
        self.answer(stream, fields)
        sector_of(self.frame(stream, fields), fields["from"])
        return 1 + self.up_to_answer(stream, fields["from"] + 1, by)

    def up_to_answer(self, stream: int, first: int, by: Fields) -> int:
        """Send a request into a stream; returns how many sectors, from index `first` on, come up to its answer."""
        sequence, came = self.send(by), 0
        latest = time.monotonic() + ANSWER_S
        while (left_s := latest - time.monotonic()) > 0 and (frame := self.line.frame(left_s)):
            if frame.sequence == sequence:
                self.fields_of(frame, message.ANSWER, _name(by))
                self.check_nothing_follows(stream)
                return came
            need(frame.sequence == stream, f"a frame with the number {frame.sequence} comes, which nothing asked for")
            if frame.kind == message.SECTOR:
                sector_of(frame, first + came)
                came += 1
        self.silences += 1
        broken(f"{_name(by)}, sent into a stream, is not answered within {ANSWER_S:g} s")

    def recover(self) -> None:
        """After a broken rule: end what still runs and let it pass; take back what the card may have noted for this visit."""
        self.send({"do": "stop"})
        self.line.drain(_QUIET_S, ANSWER_S)
        with suppress(BrokenError, NotTriedError):
            for entry in self.entries(self.library):
                if entry.flags & message.LISTED_MINE:
                    self.told({"do": "revoke", **identity(entry), "library": self.library})

    def _greet(self, path: str) -> Fields:
        self.line.write(b"\0")
        for _ in range(_GREETINGS):
            try:
                return self.told({"do": "hello", "v": message.VERSION}, _GREETING_S)
            except BrokenError:
                continue
        raise NoCardError(
            f"what is on {path} does not answer as a voicecard: choose another port, or flash the board first"
        )

    def _pages(self, library: str | None) -> Iterator[message.Listing]:
        first = 0
        while True:
            page = self.listing(first, library)
            yield page
            first += len(page.entries)
            if first >= page.total:
                return
            need(bool(page.entries), f"the listing from {first} on is empty though there are {page.total} recordings")

    def check_nothing_follows(self, stream: int) -> None:
        """What was sent with this number is over: the next frame answers the next request."""
        sequence = self.send({"do": "status"})
        frame = self.line.frame(ANSWER_S)
        need(frame is not None, "after a stream was ended the next request is not answered")
        assert frame is not None
        need(frame.sequence != stream, "the stream goes on after the answer to the request that ends it")
        need(frame.sequence == sequence, f"a frame with the number {frame.sequence} comes, which nothing asked for")

    def _note_time(self, fields: Fields, took_s: float) -> None:
        if took_s > self.slowest_s and fields.get("do") != "safe":
            self.slowest_s, self.slowest_request = took_s, _name(fields)


def sector_of(frame: Frame, index: int) -> bytes:
    """The 4096 bytes of a sector frame, which has to be the one with this index."""
    at = message.SECTOR_NUMBER_BYTES
    need(len(frame.payload) == at + SECTOR_BYTES, f"a sector frame has {len(frame.payload) - at} bytes of a sector")
    got = int.from_bytes(frame.payload[:at], "little")
    need(got == index, f"sector {got} comes where sector {index} should")
    return frame.payload[at:]


def pull(entry: message.Entry, first: int) -> Fields:
    return {"do": "pull", **identity(entry), "from": first}


def identity(entry: message.Entry) -> Fields:
    """What a request calls a recording by."""
    return {"n": entry.recording, "nonce": entry.nonce.hex()}


def without(fields: Fields, name: str) -> Fields:
    return {key: value for key, value in fields.items() if key != name}


def _name(fields: Fields) -> str:
    return f"`{fields.get('do')}`"
