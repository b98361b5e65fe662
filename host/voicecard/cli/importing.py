"""The command that takes in files of other recorders."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voicecard.cli.options import AsJson, LibraryPath
from voicecard.cli.output import note, print_json
from voicecard.errors import UsageError, VoicecardError

if TYPE_CHECKING:
    from voicecard.jobs.queue import Queue
    from voicecard.library.archive import Library


def add_commands(app: typer.Typer) -> None:
    app.command("import")(import_files)


def import_files(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Sound files: WAV, FLAC, MP3, M4A, OGG ...")],
    recorded_at: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="When it was recorded, like 2026-10-01T14:30; as the file says if left out."),
    ] = None,
    no_transcribe: Annotated[bool, typer.Option("--no-transcribe", help="Only take the files in.")] = False,
    library: LibraryPath = None,
    as_json: AsJson = False,
) -> None:
    """Take in recordings of other recorders, and transcribe them. The files stay where they are; a copy is kept as it is."""
    from voicecard.cli.jobs import tools_for, work_off
    from voicecard.jobs.intake import fill
    from voicecard.jobs.queue import Queue
    from voicecard.jobs.stages import STAGES, TRANSCRIBE
    from voicecard.jobs.worker import Orders
    from voicecard.library.archive import Library

    when = _time(recorded_at)
    if when and len(files) > 1:
        raise UsageError("--recorded-at is about one file: import the others by themselves")
    with Library(library) as shelf, Queue(shelf.path) as queue:
        accepted, known, failed = _accept(shelf, queue, files, when, no_transcribe)
        tools = tools_for(shelf)
        fill(queue, tools)
        report = work_off(queue, tools, Orders(recordings=accepted.keys()))
        pending = tools.pending()
        new = [entry for key in accepted if (entry := shelf.by_key(key))]
    here = {entry.key for entry in new}
    waiting = [path for key, path in accepted.items() if key in pending]
    failed += [path for key, path in accepted.items() if key not in here and key not in pending]
    not_transcribed = [] if no_transcribe else [entry.id for entry in new if STAGES[TRANSCRIBE].lacks(entry)]
    if as_json:
        print_json(
            {
                "new": [entry.id for entry in new],
                "known": known,
                "failed": failed,
                "waiting": waiting,
                "not_transcribed": not_transcribed,
            }
        )
    if failed or report.failed or (not_transcribed and not report.busy):
        raise typer.Exit(1)


def _accept(
    shelf: Library, queue: Queue, files: list[Path], when: datetime | None, held: bool
) -> tuple[dict[str, str], list[str], list[str]]:
    """(what is now safe in the library, by key; ids of recordings that it has; what could not be taken in)."""
    from voicecard.importing.accept import accept
    from voicecard.jobs.intake import expected
    from voicecard.library.entry import Entry

    accepted: dict[str, str] = {}
    known: list[str] = []
    failed: list[str] = []
    for path in files:
        try:
            found = accept(shelf, path, when, partial(expected, queue, held=held))
        except (VoicecardError, OSError) as error:
            note(f"{path}: {error}")
            failed.append(str(path))
            continue
        if isinstance(found, Entry):
            note(f"{path} is in the library already, as {found.id}")
            known.append(found.id)
        else:
            accepted.setdefault(found.key, str(path))
    return accepted, known, failed


def _time(text: str | None) -> datetime | None:
    try:
        return None if text is None else datetime.fromisoformat(text).astimezone()
    except ValueError as error:
        raise UsageError(f"{text!r} is no time: write it like 2026-10-01T14:30") from error
