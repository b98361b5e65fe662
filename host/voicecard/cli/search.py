"""The command that finds what was said."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voicecard.cli.options import AsJson, LibraryPath
from voicecard.cli.output import duration, note, print_json, styled
from voicecard.errors import UsageError

if TYPE_CHECKING:
    from voicecard.library.search import Hit


def add_commands(app: typer.Typer) -> None:
    app.command()(search)


def search(
    query: Annotated[
        list[str],
        typer.Argument(
            metavar="QUERY...", help='Words; "one phrase" in quotes, a beginning*, AND, OR, NOT and parentheses.'
        ),
    ],
    since: Annotated[
        str | None, typer.Option(metavar="DATE", help="Only recordings of this day, or time, and later.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="DATE", help="Only recordings of this day, or time, and earlier.")
    ] = None,
    speaker: Annotated[str | None, typer.Option(help="Only what this speaker said.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only recordings with this tag.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many passages.")] = 20,
    library: LibraryPath = None,
    as_json: AsJson = False,
) -> None:
    """Find what was said: who said it, when, and in which recording.

    The best passages come first; where a query finds more than 50,000, the newest do."""
    from voicecard.library.archive import Library
    from voicecard.library.search import Wanted

    wanted = Wanted(" ".join(query), _time(since), _time(until, end=True), speaker, tag)
    with Library(library) as shelf:
        hits = shelf.search(wanted, limit + 1)
    if as_json:
        print_json([_fields(hit) for hit in hits[:limit]])
        return
    for hit in hits[:limit]:
        _show(hit)
    if len(hits) > limit:
        note(f"there is more: --limit {2 * limit} shows it, or say more exactly what you look for")
    elif not hits:
        note("nothing found")


def _time(text: str | None, end: bool = False) -> datetime | None:
    """In this computer's time zone unless it says otherwise; of a day its beginning, or its `end`. Raises UsageError."""
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{text!r} is no date: write it like 2026-10-01, or 2026-10-01T14:30") from error
    if end:
        time += timedelta(days=1) if len(text) <= len("2026-10-01") else timedelta(seconds=1)
    return time.astimezone()


def _fields(hit: Hit) -> dict[str, Any]:
    entry, when = hit.entry, hit.when
    return {
        "id": entry.id,
        "folder": str(entry.folder),
        "title": entry.title,
        "started": entry.started.isoformat() if entry.started else None,
        "start_s": hit.start_s,
        "end_s": hit.end_s,
        "when": when.isoformat() if when else None,
        "speaker": hit.speaker,
        "text": hit.text,
        "found": [list(span) for span in hit.found],
    }


def _show(hit: Hit) -> None:
    where = [hit.entry.id]
    if hit.when:
        where.append(f"{hit.when:%Y-%m-%d %H:%M:%S}")
    if hit.start_s is not None:
        where.append(f"at {duration(hit.start_s)}")
    if hit.entry.title:
        where.append(hit.entry.title)
    typer.echo("  ".join(where))
    said, at = "", 0
    for start, end in hit.found:
        said += hit.text[at:start] + styled(hit.text[start:end])
        at = end
    typer.echo(f"    {f'{hit.speaker}: ' if hit.speaker else ''}{said}{hit.text[at:]}")
