"""Commands that hand recordings to other programs, or look at the library as a whole: play, open, stats, reindex."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from voicecard.cli.options import AsJson, Id, LibraryPath
from voicecard.cli.output import duration, note, print_json, table
from voicecard.errors import UsageError

if TYPE_CHECKING:
    from voicecard.library.entry import Entry

_TIME = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d+)?)")


def add_commands(app: typer.Typer) -> None:
    app.command()(play)
    app.command("open")(open_folder)
    app.command()(stats)
    app.command()(reindex)


def play(
    id: Id,
    start: Annotated[
        str, typer.Option("--from", metavar="TIME", help="Where to begin: seconds, or like 1:23 or 1:02:03.")
    ] = "0",
    library: LibraryPath = None,
) -> None:
    """Play a recording, by mpv, ffplay or VLC, until its end or Ctrl-C."""
    from voicecard.library.archive import Library
    from voicecard.player import play as play_file

    start_s = _seconds(start)
    with Library(library) as shelf:
        entry = shelf.entry(id)
    if start_s >= entry.length_s:
        raise UsageError(f"{entry.id} is {duration(entry.length_s)} long: nothing is to be heard from {start} on")
    play_file(entry.audio, start_s)


def open_folder(
    id: Annotated[str | None, typer.Argument(metavar="ID", help="Id of a recording; the library if left out.")] = None,
    library: LibraryPath = None,
) -> None:
    """Show a recording's folder, or the library's, in the file manager. In a pipe its path is printed."""
    import sys

    from voicecard.library.archive import Library

    with Library(library) as shelf:
        folder = shelf.path if id is None else shelf.entry(id).folder
    if sys.stdout.isatty() and typer.launch(str(folder)) == 0:
        return
    typer.echo(str(folder))


def stats(library: LibraryPath = None, as_json: AsJson = False) -> None:
    """Tell how much the library holds, by month."""
    from voicecard.library.archive import Library

    with Library(library) as shelf:
        entries = shelf.entries()
    months: dict[str, list[Entry]] = {}
    for entry in entries:
        months.setdefault(f"{entry.started:%Y-%m}" if entry.started else "unknown", []).append(entry)
    if as_json:
        print_json({**_sums(entries), "months": [{"month": month, **_sums(of)} for month, of in months.items()]})
        return
    rows = [(month, *_shown(_sums(of))) for month, of in months.items()]
    table(("MONTH", "RECORDINGS", "LENGTH", "SPEECH", "TRANSCRIBED"), [*rows, ("all", *_shown(_sums(entries)))])


def reindex(library: LibraryPath = None) -> None:
    """Make the index again from the plain files, which alone count: for a library that was copied, merged or repaired by hand."""
    from voicecard.library.archive import Library

    with Library(library) as shelf:
        shelf.rebuild()
        note(f"{len(shelf.entries())} recordings indexed in {shelf.path}")


def _seconds(text: str) -> float:
    found = _TIME.fullmatch(text)
    if not found:
        raise UsageError(f"{text!r} is no time: write seconds, or like 1:23 or 1:02:03")
    hours, minutes, seconds = found.groups(default="0")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def _sums(entries: list[Entry]) -> dict[str, float]:
    return {
        "recordings": len(entries),
        "length_s": round(sum(entry.length_s for entry in entries), 1),
        "speech_s": round(sum(entry.speech_s for entry in entries), 1),
        "transcribed": sum(entry.transcript_backend is not None for entry in entries),
    }


def _shown(sums: dict[str, float]) -> tuple[str, ...]:
    return (
        str(sums["recordings"]),
        duration(sums["length_s"]),
        duration(sums["speech_s"]),
        str(sums["transcribed"]),
    )
