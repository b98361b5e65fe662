"""The command that takes in files of other recorders."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voicecard.cli.options import AsJson, LibraryPath
from voicecard.cli.output import duration, note, print_json, progress
from voicecard.errors import UsageError, VoicecardError

if TYPE_CHECKING:
    from voicecard.importing import Imported


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
    from voicecard.cli.jobs import make_of_new
    from voicecard.importing import import_file
    from voicecard.library.archive import Library

    when = _time(recorded_at)
    if when and len(files) > 1:
        raise UsageError("--recorded-at is about one file: import the others by themselves")
    done: list[Imported] = []
    failed: list[str] = []
    with Library(library) as shelf, progress("s") as update:
        for path in files:
            try:
                imported = import_file(shelf, path, when, partial(_tell, update, path.name))
            except (VoicecardError, OSError) as error:
                note(f"{path}: {error}")
                failed.append(str(path))
                continue
            done.append(imported)
            note(_sentence(imported, path))
        new = [imported.entry for imported in done if imported.is_new]
        not_transcribed = make_of_new(shelf, new, no_transcribe)
    if as_json:
        print_json(
            {
                "new": [entry.id for entry in new],
                "known": [imported.entry.id for imported in done if not imported.is_new],
                "failed": failed,
                "not_transcribed": not_transcribed,
            }
        )
    if failed or not_transcribed:
        raise typer.Exit(1)


def _tell(update: Callable[[str, float, float], None], name: str, seconds: float) -> None:
    update(name, seconds, seconds + 1)  # how many there will be nobody knows


def _time(text: str | None) -> datetime | None:
    try:
        return None if text is None else datetime.fromisoformat(text).astimezone()
    except ValueError as error:
        raise UsageError(f"{text!r} is no time: write it like 2026-10-01T14:30") from error


def _sentence(imported: Imported, path: Path) -> str:
    entry = imported.entry
    if not imported.is_new:
        return f"{path} is in the library already, as {entry.id}"
    return (
        f"{path} is {entry.id}: {duration(entry.length_s)}, begun {entry.started:%Y-%m-%d %H:%M} ({entry.started_how})"
    )
