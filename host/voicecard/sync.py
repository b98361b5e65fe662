"""Sync: the one function that joins card and library. Nothing is filed before the card agrees that it arrived whole."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from voicecard.device.client import CardLink, Listed
from voicecard.errors import FormatError, RefusedError, VoicecardError
from voicecard.firmware.wire.message import DIGEST
from voicecard.firmware.wire.sector import SECTOR_BYTES
from voicecard.library.archive import Library
from voicecard.library.clocks import Reading
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
        for listed in link.recordings(library.id):
            try:
                _visit(link, library, listed, report, on_progress)
            except (RefusedError, FormatError) as error:
                report.failed.append(error)
        library.place_in_time(link.hello.card)
    report.new = [library.entry(entry.id) for entry in report.new]
    report.seconds = time.monotonic() - started
    return report


def _visit(link: CardLink, library: Library, listed: Listed, report: SyncReport, on_progress: Progress | None) -> None:
    if not listed.ended:
        report.open += 1
    elif _holds(link, library, listed):
        report.known += 1
    else:
        report.new.append(_bring(link, library, listed, report, on_progress))


def remember_clock(link: CardLink, library: Library) -> None:
    """Let the library remember what wall time the card's ticks mean in this start."""
    hello = link.hello
    uncertainty_ms = round(1000 * hello.uncertainty_s) + 1
    library.note_clock(hello.card, hello.boot, Reading(hello.ticks_us, round(1000 * hello.heard_at), uncertainty_ms))


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


def _bring(link: CardLink, library: Library, listed: Listed, report: SyncReport, on_progress: Progress | None) -> Entry:
    name = f"{link.hello.card}-{listed.number}"
    with library.begin(link.hello.card, listed.number, listed.nonce) as incoming:
        for sector in link.pull(listed, min(incoming.sectors_done, listed.sectors)):
            incoming.append(sector)
            report.received_bytes += SECTOR_BYTES
            if on_progress:
                on_progress(name, incoming.sectors_done * SECTOR_BYTES, listed.sectors * SECTOR_BYTES)
        _prove(link, library, listed, incoming)
        try:
            return incoming.finish()
        except FormatError:
            incoming.discard()  # else the next sync would go on from what no pulling can mend
            raise


def _prove(link: CardLink, library: Library, listed: Listed, incoming: Incoming) -> None:
    """Let the card compare; what it does not recognise is thrown away, so that the next sync begins afresh."""
    try:
        link.prove(listed, incoming.digest(), library.id)
    except RefusedError as refusal:
        if refusal.code == DIGEST:
            incoming.discard()
            raise RefusedError(
                f"what arrived of recording {listed.number} is not what the card holds: it stays on the card, sync again",
                refusal.code,
            ) from refusal
        raise
