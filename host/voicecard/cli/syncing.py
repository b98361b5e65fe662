"""The command that brings recordings in: once, or from every card that is plugged in."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voicecard.cli.jobs import make_of_new
from voicecard.cli.options import AsJson, LibraryPath, PortPath
from voicecard.cli.output import note, print_json, progress
from voicecard.cli.stopping import until_stopped
from voicecard.errors import NoCardError, VoicecardError

if TYPE_CHECKING:
    from voicecard.device.client import CardLink
    from voicecard.device.find import Candidate
    from voicecard.library.archive import Library
    from voicecard.sync import SyncReport


def add_commands(app: typer.Typer) -> None:
    app.command()(sync)


def sync(
    port: PortPath = None,
    library: LibraryPath = None,
    no_transcribe: Annotated[bool, typer.Option("--no-transcribe", help="Only bring the recordings in.")] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Wait for cards and sync each that is plugged in, until Ctrl-C.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Bring new recordings from the card into the library, and transcribe them."""
    from voicecard.device.find import open_card
    from voicecard.library.archive import Library

    if watch:
        _watch(port, library, no_transcribe, as_json)
        return
    with Library(library) as shelf:
        report = _bring(lambda: open_card(port), shelf)
        note(_summary(report))
        for failure in report.failed:
            note(str(failure))
        failed = make_of_new(shelf, report.new, no_transcribe)
    if as_json:
        print_json(_fields(report, failed))
    if failed or report.failed:
        raise typer.Exit(1)


def _watch(port: str | None, library: Path | None, no_transcribe: bool, as_json: bool) -> None:
    from voicecard.device import find
    from voicecard.device.watch import watch
    from voicecard.library.archive import Library

    with Library(library):
        pass  # one that cannot be used is told now
    visits = _Visits(library, no_transcribe, as_json)
    with until_stopped():
        note("waiting for a card")
        watch(find.candidates if port is None else lambda: find.at(port), visits.visit, visits.left)


class _Visits:
    """What happens with each card that comes, told to people, each sentence once."""

    def __init__(self, library: Path | None, no_transcribe: bool, as_json: bool) -> None:
        self._library = library
        self._no_transcribe = no_transcribe
        self._as_json = as_json
        self._told: dict[Candidate, str] = {}
        self._names: dict[Candidate, str] = {}

    def visit(self, candidate: Candidate) -> bool:
        """Sync the card there; returns whether nothing more can come of it until it is plugged in again."""
        try:
            return self._sync(candidate)
        except NoCardError as error:
            self._tell(candidate, str(error))
            return not candidate.is_card
        except VoicecardError as error:
            self._tell(candidate, str(error))
        except OSError as error:
            self._tell(candidate, f"the system refused: {error.strerror or error}")
        return False

    def left(self, candidate: Candidate) -> None:
        self._told.pop(candidate, None)
        name = self._names.pop(candidate, None)
        if name is not None:
            note(f"card {name} has left: waiting for the next")

    def _sync(self, candidate: Candidate) -> bool:
        from voicecard.device.find import meet
        from voicecard.library.archive import Library

        with Library(self._library) as shelf:
            report = _bring(lambda: meet(candidate), shelf)
            self._names[candidate] = report.card
            advice = "stop it before you unplug the card" if report.open else "safe to unplug"
            self._tell(candidate, f"{_summary(report)}: {advice}")
            for failure in report.failed:
                note(str(failure))
            failed = make_of_new(shelf, report.new, self._no_transcribe)
        if self._as_json:
            typer.echo(json.dumps(_fields(report, failed), ensure_ascii=False))
        return not report.open

    def _tell(self, candidate: Candidate, sentence: str) -> None:
        if self._told.get(candidate) != sentence:
            self._told[candidate] = sentence
            note(sentence)


def _bring(open_link: Callable[[], CardLink], shelf: Library) -> SyncReport:
    """Sync a card; it has been let go of when this returns."""
    from voicecard.sync import sync as sync_card

    with open_link() as link, progress("received") as update:
        return sync_card(link, shelf, update)


def _fields(report: SyncReport, not_transcribed: list[str]) -> dict[str, Any]:
    new = [entry.id for entry in report.new]
    fields = {"card": report.card, "new": new, "known": report.known, "open": report.open}
    failed = [str(failure) for failure in report.failed]
    return {**fields, "failed": failed, "received_bytes": report.received_bytes, "not_transcribed": not_transcribed}


def _summary(report: SyncReport) -> str:
    new = len(report.new)
    text = f"card {report.card}: {new} new recording{'' if new == 1 else 's'}"
    if report.received_bytes:
        text += f" ({report.received_bytes / 1e6:.1f} MB in {report.seconds:.1f} s)"
    if report.known:
        text += f", {report.known} already here"
    if report.open:
        text += f", {report.open} still being recorded"
    return text
