"""The command that makes summaries of transcripts. Sync, import and transcribe make them by themselves once a server is set."""

from __future__ import annotations

from typing import Annotated

import typer

from voicecard.cli.options import LibraryPath
from voicecard.errors import LibraryError


def add_commands(app: typer.Typer) -> None:
    app.command()(summarise)


def summarise(
    ids: Annotated[
        list[str],
        typer.Argument(metavar="ID...", help="Ids of recordings, parts of them that only one has, or latest."),
    ],
    library: LibraryPath = None,
) -> None:
    """Summarise what was said, by the language model that summarise.base_url names. The transcript is sent there."""
    from voicecard.cli.jobs import tools_for, work_off
    from voicecard.insight.summariser import Summariser
    from voicecard.jobs.intake import release
    from voicecard.jobs.queue import Queue
    from voicecard.jobs.stages import SUMMARISE
    from voicecard.jobs.worker import Orders
    from voicecard.library.archive import Library

    with Library(library) as shelf, Queue(shelf.path) as queue:
        entries = [shelf.entry(id) for id in ids]
        recordings = {entry.key for entry in entries}
        tools = tools_for(shelf)
        Summariser(tools.config)  # says what is missing before anything is queued
        for entry in entries:
            if entry.transcript() is None:
                raise LibraryError(f"{entry.id} has no transcript: `voicecard transcribe {entry.id}` makes one")
        release(queue, recordings, [SUMMARISE], held=True, again=True)
        report = work_off(queue, tools, Orders([SUMMARISE], recordings))
    if report.failed:
        raise typer.Exit(1)
