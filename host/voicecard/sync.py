"""Sync: the one function that joins card and library. Nothing is filed before the card agrees that it arrived whole."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from voicecard.device.client import CardLink, Hello, Listed
from voicecard.errors import DeviceError, RefusedError
from voicecard.firmware.wire.message import DIGEST
from voicecard.firmware.wire.sector import SECTOR_BYTES
from voicecard.library.archive import Library
from voicecard.library.entry import Entry
from voicecard.library.files import file_digest
from voicecard.library.incoming import Incoming
from voicecard.library.recording import read_recording

Progress = Callable[[str, int, int], None]

_DRIFT = 100e-6  # of a crystal: what a card's ticks may be off since the recording


@dataclass(slots=True)
class SyncReport:
    """What a sync did: recordings that are new, those the library had already, those that are still being recorded."""

    card: str
    new: list[Entry] = field(default_factory=list)
    known: int = 0
    open: int = 0
    received_bytes: int = 0
    seconds: float = 0.0


def sync(link: CardLink, library: Library, on_progress: Progress | None = None) -> SyncReport:
    """Bring every finished recording that the library lacks into it; `on_progress(name, done_bytes, total_bytes)`.

    For each: pull to a partial file, sync it to disk, re-read it, let the card compare its SHA-256, only then file it.
    Raises DeviceError, LibraryError; what has arrived by then stays, and the next sync goes on from there."""
    report = SyncReport(link.hello.card)
    started = time.monotonic()
    with library.writing():
        for listed in link.recordings():
            if not listed.ended:
                report.open += 1
            elif _holds(link, library, listed):
                report.known += 1
            else:
                report.new.append(_bring(link, library, listed, report, on_progress))
    link.set_clock()
    report.seconds = time.monotonic() - started
    return report


def _holds(link: CardLink, library: Library, listed: Listed) -> bool:
    """Whether the library has the recording; the card is told so if it does not know. What went bad here counts as missing."""
    held = library.find(link.hello.card, listed.number, listed.nonce)
    if held is None:
        return False
    if not listed.safe:
        try:
            link.prove(listed, file_digest(held.original), library.id)
        except RefusedError as refusal:
            if refusal.code != DIGEST:
                raise
            return False
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
        return incoming.finish(*_started(incoming, link.hello))


def _prove(link: CardLink, library: Library, listed: Listed, incoming: Incoming) -> None:
    """Let the card compare; what it does not recognise is thrown away, so that the next sync begins afresh."""
    try:
        link.prove(listed, incoming.digest(), library.id)
    except RefusedError as refusal:
        if refusal.code == DIGEST:
            incoming.discard()
            raise DeviceError(
                f"what arrived of recording {listed.number} is not what the card holds: it stays on the card, sync again"
            ) from refusal
        raise


def _started(incoming: Incoming, hello: Hello) -> tuple[datetime | None, str, int | None]:
    """(start, how it is known, uncertainty in ms), when the card had no wall clock but has not restarted since."""
    recording = read_recording(incoming.path)
    if recording.started is not None or recording.boot != hello.boot or recording.start_ticks_us is None:
        return None, "", None
    ago_s = (hello.ticks_us - recording.start_ticks_us) / 1e6
    uncertainty_ms = round(1000 * (hello.uncertainty_s + abs(ago_s) * _DRIFT)) + 1
    heard = datetime.fromtimestamp(hello.heard_at).astimezone()
    return heard - timedelta(seconds=ago_s), "card ticks, placed at sync", uncertainty_ms
