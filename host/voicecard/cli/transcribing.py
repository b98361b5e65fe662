"""The command that turns recordings into text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from voicecard.cli.options import Id, LibraryPath
from voicecard.cli.output import note, progress

if TYPE_CHECKING:
    from voicecard.library.archive import Library
    from voicecard.library.entry import Entry


def add_commands(app: typer.Typer) -> None:
    app.command()(transcribe)


def transcribe(
    id: Id,
    backend: Annotated[str | None, typer.Option(help="Transcription backend; the embedded one if left out.")] = None,
    library: LibraryPath = None,
) -> None:
    """Turn a recording's speech into text."""
    from voicecard.library.archive import Library

    with Library(library) as shelf:
        transcribe_entry(shelf, shelf.entry(id), backend)


def transcribe_entry(shelf: Library, entry: Entry, backend: str | None) -> None:
    """Transcribe a recording and keep the result. Raises TranscribeError, UsageError."""
    from voicecard.library.sound import kept
    from voicecard.transcribe.backend import DEFAULT
    from voicecard.transcribe.backend import backend as find_backend
    from voicecard.transcribe.model import markdown
    from voicecard.transcribe.pieces import transcribe_stretches

    chosen = find_backend(backend or DEFAULT)
    recording = entry.recording()
    with progress("transcribed") as update:
        transcript = transcribe_stretches(
            chosen,
            kept(recording),
            recording.sample_rate,
            lambda done_s, total_s: update(entry.id, done_s, total_s),
            total_samples=recording.kept_samples,
        )
    shelf.save_transcript(entry, transcript.to_json(), markdown(transcript, _title(entry)))
    note(f"{entry.id}: {len(transcript.segments)} passages transcribed by {transcript.backend}")


def _title(entry: Entry) -> str:
    return f"Recording {entry.id}" + (f", {entry.started:%Y-%m-%d %H:%M}" if entry.started else "")
