"""Sync: the one function that joins card and library. Nothing is filed before the card agrees that it arrived whole."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from voicecard.device.client import CardLink, Listed
from voicecard.errors import FormatError, RefusedError, VoicecardError
from voicecard.firmware.wire.message import DIGEST
from voicecard.firmware.wire.sector import SECTOR_BYTES
from voicecard.library.archive import Library
from voicecard.library.clocks import Reading
from voicecard.library.details import Identity
from voicecard.library.entry import Entry
from voicecard.library.files import file_digest
from voicecard.library.incoming import Incoming

Progress = Callable[[str, int, int], None]


@dataclass(slots=True)
class SyncReport:
    """What a sync did: recordings that are new, those the library had already, those that are still being recorded.

    `failed`: what kept a recording from coming in; it stays on the card."""

    card: str
    new: list[Entry] = field(default_factory=list)
    failed: list[VoicecardError] = field(default_factory=list)
    known: int = 0
    open: int = 0
    received_bytes: int = 0
    seconds: float = 0.0


def sync(link: CardLink, library: Library, on_progress: Progress | None = None) -> SyncReport:
    """Bring every finished recording that the library lacks into it; `on_progress(name, done_bytes, total_bytes)`.

    For each: pull to a partial file, sync it to disk, re-read it, let the card compare its SHA-256, only then file it. One
    that cannot be had does not keep the others from coming. Raises LinkLostError, LibraryError; what has arrived by then stays,
    and the next sync goes on from there."""
    report = SyncReport(link.hello.card)
    started = time.monotonic()
    with library.writing():
        remember_clock(link, library)
        link.set_clock()
        library.trash.empty()
        lacking = _lacking(link, library, report)
        with _Arrivals(link, library, report, on_progress) as arrivals:
            arrivals.bring(lacking)
        library.place_in_time(link.hello.card)
    report.new = [library.entry(entry.id) for entry in report.new]
    report.seconds = time.monotonic() - started
    return report


def remember_clock(link: CardLink, library: Library) -> None:
    """Let the library remember what wall time the card's ticks mean in this start."""
    hello = link.hello
    uncertainty_ms = round(1000 * hello.uncertainty_s) + 1
    library.note_clock(hello.card, hello.boot, Reading(hello.ticks_us, round(1000 * hello.heard_at), uncertainty_ms))


def _lacking(link: CardLink, library: Library, report: SyncReport) -> list[Listed]:
    """The finished recordings that the library lacks. What was thrown away it does not lack: that stays as the card has it."""
    lacking, thrown_away = [], library.trash.identities()
    for listed in link.recordings(library.id):
        try:
            if not listed.ended:
                report.open += 1
            elif Identity(report.card, listed.number, listed.nonce) in thrown_away or _holds(link, library, listed):
                report.known += 1
            else:
                lacking.append(listed)
        except RefusedError as error:
            report.failed.append(error)
    return lacking


def _holds(link: CardLink, library: Library, listed: Listed) -> bool:
    """Whether the library has the recording, which the card then counts. What went bad here counts as missing.

    The library alone decides. Where the card counts what is missing it is told so first: until it is proved anew, nothing but
    the card may hold it."""
    held = library.find(link.hello.card, listed.number, listed.nonce)
    if held is None or not library.is_intact(held):
        if listed.mine:
            link.revoke(listed, library.id)
        return False
    if listed.mine and not held.salvaged:
        return True
    try:
        link.prove(listed, file_digest(held.original), library.id)
    except RefusedError as refusal:
        if refusal.code != DIGEST:
            raise
        return False
    library.confirm(held)
    return True


@dataclass(slots=True)
class _Arrival:
    """A recording on its way in; `sectors` are still to come."""

    listed: Listed
    incoming: Incoming
    sectors: Iterator[bytes]


class _Arrivals:
    """Takes recordings in, one behind the other. With its agreement to one the card begins to send the next; so what it has agreed
    to is filed later, as soon as the card is silent again: it does not wait long for a host that does not read."""

    def __init__(self, link: CardLink, library: Library, report: SyncReport, on_progress: Progress | None) -> None:
        self._link = link
        self._library = library
        self._report = report
        self._on_progress = on_progress
        self._open = ExitStack()
        self._proved: Incoming | None = None

    def __enter__(self) -> _Arrivals:
        return self

    def __exit__(self, *exc: object) -> None:
        with self._open:
            self._file_proved()

    def bring(self, lacking: Sequence[Listed]) -> None:
        """Pull, prove and file all of them. What the card refuses, or what is no recording, is noted as failed."""
        arrival = None
        for listed in (*lacking, None):
            following = self._begin(listed) if listed else None
            if arrival:
                try:
                    self._take(arrival, following)
                except RefusedError as error:
                    self._report.failed.append(error)
            arrival = following

    def _begin(self, listed: Listed) -> _Arrival:
        incoming = self._library.begin(self._link.hello.card, listed.number, listed.nonce)
        self._open.enter_context(incoming)
        return _Arrival(listed, incoming, self._link.pull(listed, min(incoming.sectors_done, listed.sectors)))

    def _take(self, arrival: _Arrival, following: _Arrival | None) -> None:
        self._receive(arrival)
        self._file_proved()
        self._prove(arrival, following)
        self._proved = arrival.incoming

    def _receive(self, arrival: _Arrival) -> None:
        listed, incoming = arrival.listed, arrival.incoming
        for sector in arrival.sectors:
            incoming.append(sector)
            self._report.received_bytes += SECTOR_BYTES
            if self._on_progress:
                done_bytes, total_bytes = incoming.sectors_done * SECTOR_BYTES, listed.sectors * SECTOR_BYTES
                self._on_progress(f"{self._report.card}-{listed.number}", done_bytes, total_bytes)

    def _prove(self, arrival: _Arrival, following: _Arrival | None) -> None:
        """Let the card compare; what it does not recognise is thrown away, so that the next sync begins afresh."""
        listed, digest = arrival.listed, arrival.incoming.complete()
        try:
            if following:
                first = following.incoming.sectors_done
                following.sectors = self._link.prove_then_pull(
                    listed, digest, self._library.id, following.listed, first
                )
            else:
                self._link.prove(listed, digest, self._library.id)
        except RefusedError as refusal:
            if refusal.code == DIGEST:
                arrival.incoming.discard()
                raise RefusedError(
                    f"what arrived of recording {listed.number} is not what the card holds: it stays on the card, sync again",
                    refusal.code,
                ) from refusal
            raise

    def _file_proved(self) -> None:
        """File what the card has agreed to."""
        incoming, self._proved = self._proved, None
        if incoming is None:
            return
        try:
            self._report.new.append(incoming.finish())
        except FormatError as error:
            incoming.discard()  # else the next sync would go on from what no pulling can mend
            self._report.failed.append(error)
