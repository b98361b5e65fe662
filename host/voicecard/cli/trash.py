"""Commands that throw recordings away, and take them back."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from voicecard.cli.options import AsJson, LibraryPath
from voicecard.cli.output import note, print_json, table


def add_commands(app: typer.Typer) -> None:
    app.command("rm")(throw_away)
    app.command()(trash)
    app.command()(restore)


def throw_away(
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Ids of recordings, parts of them, or latest.")],
    library: LibraryPath = None,
) -> None:
    """Move recordings to the trash, which erases them after 30 days. No sync brings them in again; on a card they stay."""
    from voicecard.library.archive import Library

    with Library(library) as shelf:
        entries = {entry.id: entry for entry in map(shelf.entry, ids)}.values()
        for entry in entries:
            shelf.remove(entry)
            note(f"{entry.id} is in the trash for 30 days: `voicecard restore {entry.id}` takes it back")
        shelf.trash.empty()


def trash(library: LibraryPath = None, as_json: AsJson = False) -> None:
    """List what is in the trash, and until when."""
    from voicecard.library.archive import Library

    with Library(library) as shelf:
        content = shelf.trash.content()
    if as_json:
        print_json(
            [
                {
                    "id": thrown.id,
                    "removed": thrown.removed.isoformat(),
                    "erased": thrown.erased.isoformat(),
                    "folder": str(thrown.folder),
                }
                for thrown in content
            ]
        )
    elif content:
        rows = [(thrown.id, _local(thrown.removed), _local(thrown.erased)) for thrown in content]
        table(("ID", "THROWN AWAY", "ERASED"), rows)
    else:
        note("the trash is empty")


def restore(
    id: Annotated[str, typer.Argument(metavar="ID", help="Id of a recording, as `voicecard trash` has it.")],
    library: LibraryPath = None,
) -> None:
    """Take a recording back from the trash."""
    from voicecard.library.archive import Library

    with Library(library) as shelf:
        entry = shelf.take_back(id)
    note(f"{entry.id} is in {entry.folder} again")


def _local(time: datetime) -> str:
    return f"{time.astimezone():%Y-%m-%d %H:%M}"
