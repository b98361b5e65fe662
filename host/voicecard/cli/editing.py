"""Commands that say something about recordings: what one is called, what it is about, who speaks in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from voicecard.cli.options import AsJson, Id, LibraryPath
from voicecard.cli.output import note, print_json, table
from voicecard.errors import UsageError

if TYPE_CHECKING:
    from voicecard.library.entry import Entry


def add_commands(app: typer.Typer) -> None:
    app.command()(rename)
    app.command()(tag)
    app.command()(speakers)


def rename(
    id: Id,
    title: Annotated[str, typer.Argument(metavar="TITLE", help="What it is called; empty to take the title away.")],
    library: LibraryPath = None,
) -> None:
    """Give a recording a title. It stands at the top of its page, transcript.md, and may be changed there as well."""
    from voicecard.library.archive import Library

    with Library(library) as shelf:
        entry = shelf.set_title(shelf.entry(id), title)
    note(f"{entry.id} is called {entry.title!r}" if entry.title else f"{entry.id} has no title")


def tag(
    id: Id,
    tags: Annotated[list[str], typer.Argument(metavar="TAG...", help="Tags, with or without a #.")],
    remove: Annotated[bool, typer.Option("--remove", help="Take these tags away.")] = False,
    library: LibraryPath = None,
) -> None:
    """Put tags on a recording. They stand at the top of its page, transcript.md, and may be changed there as well."""
    from voicecard.library.archive import Library

    with Library(library) as shelf:
        entry = shelf.entry(id)
        entry = shelf.remove_tags(entry, tags) if remove else shelf.add_tags(entry, tags)
    note(f"{entry.id}: {' '.join('#' + each for each in entry.tags) or 'no tags'}")


def speakers(
    id: Id,
    label: Annotated[
        str | None, typer.Argument(metavar="LABEL", help="Speaker, as the transcript or this list has it.")
    ] = None,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Who that is; empty to take the name away.")
    ] = None,
    library: LibraryPath = None,
    as_json: AsJson = False,
) -> None:
    """List who speaks in a recording, or say who a speaker is: page, subtitles and search then have the name."""
    from voicecard.library.archive import Library

    if label is not None and name is None:
        raise UsageError(f"who is {label}? Give a name too, or an empty one to take it away")
    with Library(library) as shelf:
        entry = shelf.entry(id)
        if label is not None:
            entry = shelf.name_speaker(entry, label, name)
        found = _speakers(entry)
    if as_json:
        print_json([{"label": each, "name": called, "speech_s": seconds} for each, called, seconds in found])
    elif found:
        table(
            ("LABEL", "NAME", "SPEAKS"), [(each, called or "-", f"{seconds:.0f} s") for each, called, seconds in found]
        )
    else:
        note(f"the transcript of {entry.id} tells no speakers apart")


def _speakers(entry: Entry) -> list[tuple[str, str | None, float]]:
    """(label, name, seconds of speech), the order that of their first words."""
    from voicecard.library.texts import read_transcript

    transcript = read_transcript(entry.folder)
    names = entry.speakers()
    seconds: dict[str, float] = {}
    for segment in transcript.segments if transcript else ():
        if segment.speaker is not None:
            seconds[segment.speaker] = seconds.get(segment.speaker, 0.0) + segment.end_s - segment.start_s
    return [(label, names.get(label), round(spoken, 1)) for label, spoken in seconds.items()]
