"""The command that writes recordings to files for other programs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voicecard.cli.options import LibraryPath
from voicecard.cli.output import note
from voicecard.errors import UsageError, VoicecardError

if TYPE_CHECKING:
    from voicecard.library.entry import Entry


class Format(StrEnum):
    flac = "flac"
    wav = "wav"
    wav_adpcm = "wav-adpcm"
    opus = "opus"
    ogg = "ogg"
    md = "md"
    txt = "txt"
    srt = "srt"
    vtt = "vtt"
    json = "json"


class KeepOrTrim(StrEnum):
    keep = "keep"
    trim = "trim"


def add_commands(app: typer.Typer) -> None:
    app.command()(export)


def export(
    ids: Annotated[
        list[str],
        typer.Argument(metavar="ID...", help="Ids of recordings, parts of them that only one has, or latest."),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File to write, or a folder for files named after the recordings."),
    ] = None,
    format: Annotated[Format, typer.Option("--format", help="Kind of file.")] = Format.flac,
    obsidian: Annotated[
        Path | None,
        typer.Option(metavar="VAULT", help="Write a note and the sound beside it into this folder of Obsidian."),
    ] = None,
    silence: Annotated[
        KeepOrTrim, typer.Option(help="keep: silence is put back where it was; trim: only what the card kept.")
    ] = KeepOrTrim.keep,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that exist.")] = False,
    library: LibraryPath = None,
) -> None:
    """Write recordings as files that other programs open: sound, text, subtitles, or notes for Obsidian."""
    from voicecard.library.archive import Library
    from voicecard.library.export import export as export_one
    from voicecard.library.export import export_note

    if (output is None) == (obsidian is None):
        raise UsageError("say where to: --output FILE or FOLDER, or --obsidian VAULT")
    failed = False
    with Library(library) as shelf:
        entries = list({entry.id: entry for entry in map(shelf.entry, ids)}.values())
        if output is not None and len(entries) > 1 and not output.is_dir():
            raise UsageError(f"{output} is no folder: several recordings need one, make it first")
        for entry in entries:
            try:
                if obsidian is not None:
                    written = export_note(entry, obsidian, overwrite)
                else:
                    written = _target(entry, output, format)
                    export_one(entry, format.value, silence.value, written, overwrite)
            except VoicecardError as error:
                if len(entries) == 1:
                    raise
                note(f"{entry.id} is not exported: {error}")
                failed = True
            else:
                note(f"{entry.id} is in {written}")
    if failed:
        raise typer.Exit(1)


def _target(entry: Entry, output: Path | None, format: Format) -> Path:
    from voicecard.library.export import file_name

    assert output is not None
    return output / file_name(entry, format.value) if output.is_dir() else output
