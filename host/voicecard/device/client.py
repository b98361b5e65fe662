"""The link's host side: one method a request of PROTOCOL.md."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeGuard

from voicecard.device import approach
from voicecard.device.conversation import ANSWER_S, TRIES, Conversation
from voicecard.device.port import Port
from voicecard.errors import LinkLostError, NoCardError
from voicecard.firmware.wire import message

GREETING_S = 1.0
PROOF_S = 0.03  # a sector: the card reads the recording again
ERASE_ALL = "all recordings"  # what `format` must be told in so many words
_MAX_SECTORS = 1 << 16  # a sector frame's index has 16 bits
_MAX_REMOVALS = 10_000
_MAX_FILES = 1_000
MEASURE_S = 15.0
UPDATE_S = 30.0  # the card erases, or proves a whole application
FILES_S = 30.0  # the card reads eight files and takes their digests
_MAX_WORD = 32

Setting = str | int


@dataclass(frozen=True, slots=True)
class Hello:
    """Who the card is, and what it can do (`features`, as PROTOCOL.md names them).

    `ticks_us` are microseconds since its boot, at `heard_at` (Unix time, s, within `uncertainty_s`)."""

    card: str
    firmware: str
    boot: int
    ticks_us: int
    heard_at: float
    uncertainty_s: float
    features: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Listed:
    """A recording on the card; `copies` libraries hold it, and `mine` tells whether the one that asked is among them."""

    number: int
    nonce: str
    boot: int
    samples: int
    sectors: int
    ended: bool
    safe: bool
    mine: bool
    copies: int
    reason: int


@dataclass(frozen=True, slots=True)
class Application:
    """What runs on a card: `files` by path with bytes and SHA-256. `mpy`: `sys.implementation._mpy` of its MicroPython.

    `slot`: where it lies; `on_trial`: since an update it has not come up yet."""

    files: dict[str, tuple[int, str]]
    mpy: int
    slot: str
    on_trial: bool


class CardLink:
    """A conversation with the card on an open port. Requests raise RefusedError when the card says no, LinkLostError when it is silent."""

    def __init__(self, port: Port, once: bool = False) -> None:
        self._conversation = Conversation(port)
        self.hello = self.greet(once)

    @classmethod
    def open(cls, path: str, once: bool = False) -> CardLink:
        """Open a port and greet the card there, as `greet` does. Raises NoCardError if what is there is none."""
        port = Port(path)
        try:
            return cls(port, once)
        except BaseException:
            port.close()
            raise

    @property
    def path(self) -> str:
        """The port's."""
        return self._conversation.port.path

    def __enter__(self) -> CardLink:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Take leave, if the card still listens, and let go of the port."""
        try:
            self._conversation.send("bye")
        except LinkLostError:
            pass
        finally:
            self._conversation.port.close()

    def greet(self, once: bool = False) -> Hello:
        """Ask who the card is (again: after a restart or a format); `hello` keeps the answer.

        `once`: something else may be there, and is asked only once. Raises NoCardError."""
        path = self._conversation.port.path
        tries, patience_s = (1, approach.PATIENCE_S) if once else (TRIES, GREETING_S)
        understood = True
        for _ in range(tries):
            asked, frame = time.time(), approach.harmless_hello()
            answer = self._conversation.ask_once(frame, approach.sequence_of(frame), patience_s)
            heard = time.time()
            if answer is None:
                continue
            told = _hello(answer, (asked + heard) / 2, (heard - asked) / 2)
            if told:
                self.hello = told
                return told
            understood = False  # or it was an answer to an earlier program
        if not understood:
            raise NoCardError(
                f"what is on {path} greets in another way than a voicecard: update this program or the card"
            )
        raise NoCardError(
            f"what is on {path} does not answer as a voicecard and is left alone: choose another port, or flash the board first"
        )

    def status(self) -> dict[str, Any]:
        return self._conversation.ask("status")

    def set_clock(self) -> None:
        uncertainty_ms = int(self.hello.uncertainty_s * 1000) + 1
        now = time.time()
        offset = datetime.fromtimestamp(now).astimezone().utcoffset() or timedelta()
        self._conversation.ask(
            "clock",
            wall_ms=int(now * 1000),
            uncertainty_ms=uncertainty_ms,
            offset_min=round(offset.total_seconds() / 60),
        )

    def recordings(self, library: str | None = None) -> list[Listed]:
        """All recordings on the card, in the order of their numbers; `library` is the id of the one that asks."""
        for _ in range(TRIES):
            entries: list[Listed] = []
            generation = None
            for listing in self._listings(library):
                if generation not in (None, listing.generation):
                    break  # the list changed under way: start again
                generation = listing.generation
                entries += [_listed(entry) for entry in listing.entries]
                if not all(entry.sectors for entry in entries) or sum(e.sectors for e in entries) > _MAX_SECTORS:
                    raise self._not_understood("list")  # more than any storage holds, or nothing
                if len(entries) >= listing.total:
                    return entries
                if not listing.entries:
                    break
        raise LinkLostError("the card's list of recordings keeps changing: stop recording and try again")

    def pull(self, listed: Listed, first: int) -> Iterator[bytes]:
        """The recording's sectors (4096 bytes each) from number `first` on, asking again for what the line lost."""
        return self._conversation.sectors("pull", first, listed.sectors, **_identity(listed))

    def prove(self, listed: Listed, digest: str, library: str, **then: Any) -> None:
        """Tell the card that a library holds a recording with this SHA-256. Raises RefusedError if it holds something else."""
        timeout_s = ANSWER_S + PROOF_S * listed.sectors
        what = {**_identity(listed), "sectors": listed.sectors, "digest": digest, "library": library}
        self._conversation.ask("safe", timeout_s, **what, **then)

    def prove_then_pull(
        self, listed: Listed, digest: str, library: str, following: Listed, first: int
    ) -> Iterator[bytes]:
        """Like `prove`; the card sends the `following` recording with its answer, if it knows how. Returns its sectors from `first` on.

        They must be read before anything else is asked."""
        if message.SAFE_THEN not in self.hello.features or first >= following.sectors:
            self.prove(listed, digest, library)
            return self.pull(following, first)
        self.prove(listed, digest, library, then={**_identity(following), "from": first})
        return self._conversation.sectors("pull", first, following.sectors, begun=True, **_identity(following))

    def revoke(self, listed: Listed, library: str) -> None:
        """Tell the card that a library does not hold this recording (any more)."""
        self._conversation.ask("revoke", n=listed.number, nonce=listed.nonce, library=library)

    def settings(self) -> dict[str, dict[str, Any]]:
        """By name: `value`, `default` and `allowed`, a list of values or `from` and `to`."""
        found = self._conversation.ask("settings").get("settings")
        if not isinstance(found, dict) or not all(_is_setting(about) for about in found.values()):
            raise self._not_understood("settings")
        return dict(sorted(found.items()))

    def set(self, values: Mapping[str, Setting]) -> dict[str, Setting]:
        """Change settings, all or none; returns all of them. Raises RefusedError for a value that is not allowed."""
        changed = self._conversation.ask("set", settings=dict(values)).get("settings")
        if not isinstance(changed, dict):
            raise self._not_understood("set")
        return changed

    def counters(self) -> dict[str, Any]:
        """The flight recorder's counters."""
        return self._conversation.ask("counters")

    def log(self) -> list[str]:
        """What the card noted since its start, its last lines."""
        lines = self._conversation.ask("log").get("lines")
        return [str(line) for line in lines] if isinstance(lines, list) else []

    def removals(self) -> list[dict[str, Any]]:
        """The recordings that the card has removed, oldest first, so far as it remembers."""
        return self._told_in_pieces("ledger", "lines", _MAX_REMOVALS)[0]

    def application(self) -> Application:
        """The application that runs, file by file."""
        found, answer = self._told_in_pieces("files", "files", _MAX_FILES, FILES_S)
        files = {str(line.get("path")): (line.get("bytes"), line.get("sha256")) for line in found}
        mpy = answer.get("mpy")
        if not isinstance(mpy, int) or not all(
            isinstance(n, int) and isinstance(sha, str) for n, sha in files.values()
        ):
            raise self._not_understood("files")
        slot = str(answer.get("slot", "a"))  # a card without slots has its application where this one is
        return Application({path: (n, sha) for path, (n, sha) in files.items()}, mpy, slot, bool(answer.get("trial")))  # type: ignore[misc]

    def update(self, step: str, **fields: Any) -> dict[str, Any]:
        """A step of an update: see PROTOCOL.md."""
        return self._conversation.ask("update", UPDATE_S, step=step, **fields)

    def put(self, at: int, piece: bytes) -> None:
        """The next piece of the file that was opened."""
        self.update("put", at=at, data=base64.b64encode(piece).decode())

    def measure(self, part: str) -> dict[str, int]:
        """What the card measures of its board: see PROTOCOL.md, Measures."""
        answer = self._conversation.ask("measure", MEASURE_S, tries=1, part=part)
        if not all(type(value) is int for value in answer.values()):
            raise self._not_understood("measure")
        return answer

    def stop(self) -> None:
        """End whatever the card still sends."""
        self._conversation.ask("stop")

    def image_sectors(self) -> int:
        """Sectors of the card's whole storage, as `image` gives them."""
        return self._count("image", **{"from": 0})

    def image(self, first: int, sectors: int) -> Iterator[bytes]:
        """The storage's sectors from `first` on as they lie on flash, asking again for what the line lost."""
        return self._conversation.sectors("image", first, sectors)

    def format(self) -> int:
        """Erase everything and take a new name: begins it, and returns the number of sectors; `status` tells how far it is."""
        return self._count("format", card=self.hello.card, erase=ERASE_ALL)

    def restart(self) -> None:
        self._conversation.ask("restart")

    def go_to_prompt(self, stop: bool) -> None:
        """Let the card start again and stay at its prompt; the port is closed without a word more, which would be typed there.

        `stop`: end a recording that runs."""
        self._conversation.ask("repl", **({"stop": True} if stop else {}))
        self._conversation.port.close()

    def _count(self, do: str, **fields: Any) -> int:
        sectors = self._conversation.ask(do, **fields).get("sectors")
        if not isinstance(sectors, int) or not 0 <= sectors <= _MAX_SECTORS:
            raise self._not_understood(do)
        return sectors

    def _told_in_pieces(
        self, do: str, name: str, most: int, timeout_s: float = ANSWER_S
    ) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """All objects of the list `name` that a request tells from an index on, `most` or a few more; and the last answer."""
        found: list[dict[str, Any]] = []
        while True:
            answer = self._conversation.ask(do, timeout_s, **{"from": len(found)})
            piece, total = answer.get(name), answer.get("total")
            if not isinstance(piece, list) or not isinstance(total, int) or not all(isinstance(p, dict) for p in piece):
                raise self._not_understood(do)
            found += piece
            if not piece or len(found) >= min(total, most):
                return found, answer

    def _listings(self, library: str | None) -> Iterator[message.Listing]:
        """The list's pages, without an end: whoever reads them knows when they have all."""
        asker: dict[str, Any] = {} if library is None else {"library": library}
        if message.LIST_PAGES in self.hello.features:
            asker["pages"] = message.MOST_PAGES
        first, failures = 0, 0
        payload: bytes | None = None
        while failures < TRIES:
            if payload is None:
                payload = self._conversation.ask_for(message.LISTING, "list", **{"from": first}, **asker)
            listing = _read_listing(payload, first)
            if listing:
                yield listing
                first += len(listing.entries)
                payload = self._conversation.further(message.LISTING) if "pages" in asker else None
            else:
                payload, failures = None, failures + 1
        raise self._not_understood("list")

    def _not_understood(self, do: str) -> LinkLostError:
        path = self._conversation.port.path
        return LinkLostError(f"the card on {path} answers {do!r} in an unknown way: update this program or the card")


def _hello(answer: dict[str, Any], heard_at: float, uncertainty_s: float) -> Hello | None:
    """What an answer to `hello` tells, or None if it is none."""
    card, firmware = answer.get("card"), answer.get("fw")
    boot, ticks_us = answer.get("boot"), answer.get("ticks_us")
    if not (_is_word(card) and _is_word(firmware) and isinstance(boot, int) and isinstance(ticks_us, int)):
        return None
    features = answer.get("features")
    known = frozenset(map(str, features)) if isinstance(features, list) else frozenset()
    return Hello(card, firmware, boot, ticks_us, heard_at, uncertainty_s, known)


def _is_word(text: Any) -> TypeGuard[str]:
    """Whether a text is what names and versions are made of: nothing in it moves a terminal's cursor or names a folder."""
    return isinstance(text, str) and len(text) <= _MAX_WORD and text.isascii() and text.isprintable()


def _is_setting(about: Any) -> bool:
    if not isinstance(about, dict) or not about.keys() >= {"value", "default", "allowed"}:
        return False
    allowed = about["allowed"]
    limits = [allowed.get("from"), allowed.get("to")] if isinstance(allowed, dict) else allowed
    return isinstance(limits, list) and all(isinstance(limit, str | int) for limit in limits)


def _read_listing(payload: bytes, first: int) -> message.Listing | None:
    """The listing in a frame, if it is one that begins with index `first`: one before it may have been lost."""
    with suppress(ValueError):
        listing: message.Listing = message.read_listing(payload)
        return listing if listing.first == first else None
    return None


def _identity(listed: Listed) -> dict[str, Any]:
    """What a request calls a recording by."""
    return {"n": listed.number, "nonce": listed.nonce}


def _listed(entry: message.Entry) -> Listed:
    return Listed(
        number=entry.recording,
        nonce=entry.nonce.hex(),
        boot=entry.boot,
        samples=entry.samples,
        sectors=entry.sectors,
        ended=bool(entry.flags & message.LISTED_ENDED),
        safe=bool(entry.flags & message.LISTED_SAFE),
        mine=bool(entry.flags & message.LISTED_MINE),
        copies=entry.copies,
        reason=entry.reason,
    )
