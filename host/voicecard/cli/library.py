"""Commands on the library: list, show."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import typer

from voicecard.cli.options import AsJson, Id, LibraryPath
from voicecard.cli.output import duration, note, print_json, table

if TYPE_CHECKING:
    from voicecard.library.entry import Entry


def add_commands(app: typer.Typer) -> None:
    app.command("ls")(list_recordings)
    app.command()(show)


def list_recordings(library: LibraryPath = None, as_json: AsJson = False) -> None:
    """List the recordings."""
    from voicecard.library.archive import Library

    with Library(library) as shelf:
        entries = shelf.entries()
    if as_json:
        print_json([entry.summary() for entry in entries])
    elif entries:
        table(("ID", "STARTED", "LENGTH", "SPEECH", "TRANSCRIPT", "TITLE"), [_row(entry) for entry in entries])
    else:
        note(f"the library {shelf.path} is empty: plug a card in and run `voicecard sync`")


def show(id: Id, library: LibraryPath = None, as_json: AsJson = False) -> None:
    """Show a recording's details, its summary, and its transcript, with times."""
    from voicecard.library.archive import Library
    from voicecard.library.texts import read_summary

    with Library(library) as shelf:
        entry = shelf.entry(id)
        details, transcript, names = entry.details(), entry.transcript(), entry.speakers()
        summary = read_summary(entry.folder)
    if as_json:
        page = {"title": entry.title, "tags": list(entry.tags), "speakers": names}
        made = {"transcript": transcript, "summary": summary.to_json() if summary else None}
        print_json({**details, **page, "folder": str(entry.folder), **made})
        return
    for name, value in _details(entry):
        typer.echo(f"{name:<10} {value}")
    typer.echo()
    if transcript is None:
        typer.echo(f"no transcript yet: `voicecard transcribe {entry.id}` makes one")
        return
    if summary and summary.server:
        typer.echo(f"{summary.text}\n(summary by {summary.model} at {summary.server})\n")
    from voicecard.library.rendering import passages
    from voicecard.transcript import Transcript, clock

    for segment in passages(Transcript.from_json(transcript), names):
        speaker = f"{segment.speaker}: " if segment.speaker else ""
        typer.echo(f"[{clock(segment.start_s)}] {speaker}{segment.text}")


def _started(entry: Entry) -> str:
    """When it began, or between which times."""
    if entry.started:
        return _minute(entry.started)
    if entry.not_before and entry.not_after:
        return f"between {_minute(entry.not_before)} and {_minute(entry.not_after)}"
    return f"before {_minute(entry.not_after)}" if entry.not_after else "unknown"


def _minute(time: datetime) -> str:
    return time.isoformat(" ", "minutes")[:16]


def _row(entry: Entry) -> tuple[str, ...]:
    transcript = entry.transcript_backend or "-"
    about = " ".join([entry.title or "", *(f"#{tag}" for tag in entry.tags)]).strip()
    return entry.id, _started(entry), duration(entry.length_s), duration(entry.speech_s), transcript, about


def _details(entry: Entry) -> list[tuple[str, str]]:
    started = _started(entry) if entry.started else f"time unknown, {_started(entry)}".removesuffix(", unknown")
    if entry.started and entry.uncertainty_ms is not None:
        started += f"  ({entry.started_how}, within {max(1, round(entry.uncertainty_ms / 1000))} s)"
    details = entry.details()
    lost = f"{entry.lost_s:.1f} s by the card, {entry.unknown_s:.1f} s unexplained"
    rows = [
        ("recording", entry.id),
        *([("title", entry.title)] if entry.title else []),
        *([("tags", " ".join(f"#{tag}" for tag in entry.tags))] if entry.tags else []),
        ("started", started),
        ("length", duration(entry.length_s)),
        ("kept", f"{duration(entry.kept_s)}, {duration(entry.silence_skipped_s)} of silence skipped"),
        *([("lost", lost)] if entry.lost_s or entry.unknown_s else []),
        ("marks", ", ".join(duration(at) for at in details["marks"]) or "none"),
        ("ended by", entry.end_reason or "unknown"),
        ("folder", str(entry.folder)),
    ]
    if details.get("notes"):
        rows.append(("notes", "; ".join(details["notes"])))
    return rows
