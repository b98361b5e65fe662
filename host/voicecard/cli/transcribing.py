"""Commands that turn recordings into text, and tell how good the text is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voicecard.cli.options import AsJson, Id, LibraryPath
from voicecard.cli.output import note, print_json, progress
from voicecard.errors import LibraryError, UsageError, VoicecardError

if TYPE_CHECKING:
    from voicecard.library.archive import Library
    from voicecard.library.entry import Entry
    from voicecard.transcribe.backend import Backend


def add_commands(app: typer.Typer) -> None:
    app.command()(transcribe)
    app.command()(evaluate)


def transcribe(
    ids: Annotated[
        list[str],
        typer.Argument(metavar="ID...", help="Ids of recordings, parts of them that only one has, or latest."),
    ],
    backend: Annotated[
        str | None,
        typer.Option(help="Transcription backend; that of the settings, or the best that is ready, if left out."),
    ] = None,
    language: Annotated[str, typer.Option(help="Language that is spoken, e.g. de; found out if left out.")] = "",
    library: LibraryPath = None,
) -> None:
    """Turn the speech of recordings into text."""
    from voicecard.cli.jobs import make_what_follows
    from voicecard.library.archive import Library

    with Library(library) as shelf:
        entries = list({entry.id: entry for entry in map(shelf.entry, ids)}.values())
        chosen = chosen_backend(backend)
        failed = []
        if len(entries) == 1:
            transcribe_entry(shelf, entries[0], chosen, language)
        else:
            failed = transcribe_each(shelf, entries, chosen, language)
        make_what_follows(shelf, [entry for entry in entries if entry.id not in failed])
        if failed:
            raise typer.Exit(1)


def evaluate(
    id: Id,
    reference: Annotated[Path, typer.Option("--reference", metavar="FILE", help="Text file of what was really said.")],
    library: LibraryPath = None,
    as_json: AsJson = False,
) -> None:
    """Print the word error rate of a recording's transcript: how many words in a hundred are wrong."""
    from dataclasses import asdict

    from voicecard.library.archive import Library
    from voicecard.transcribe.score import word_error_rate
    from voicecard.transcript import Transcript

    with Library(library) as shelf:
        entry = shelf.entry(id)
        content = entry.transcript()
    if content is None:
        raise LibraryError(f"{entry.id} has no transcript: `voicecard transcribe {entry.id}` makes one")
    transcript = Transcript.from_json(content)
    try:
        score = word_error_rate(reference.read_text(encoding="utf-8"), transcript.text)
    except ValueError as error:  # no UTF-8, or no words
        raise UsageError(
            f"{reference} cannot be compared with ({error}): it must be a text of what was said"
        ) from error
    if as_json:
        print_json({"id": entry.id, "backend": transcript.backend, "model": transcript.model, **asdict(score)})
        return
    typer.echo(
        f"{entry.id}, transcribed by {transcript.backend}, model {transcript.model}: word error rate {score.rate:.1%} "
        f"({score.substitutions} wrong, {score.deletions} missing, {score.insertions} too many, of {score.words} words)"
    )


def chosen_backend(name: str | None = None) -> Backend:
    """The backend of that name, or that the settings choose. Raises UsageError, BackendError."""
    from voicecard.cli.config import program_config
    from voicecard.transcribe.backend import choose

    return choose(program_config(), name)


def transcribe_each(shelf: Library, entries: Sequence[Entry], backend: Backend, language: str = "") -> list[str]:
    """Transcribe each; one that fails does not keep the others from it. Returns the ids of those that failed."""
    failed = []
    for entry in entries:
        try:
            transcribe_entry(shelf, entry, backend, language)
        except VoicecardError as error:
            note(f"{entry.id} is safe in the library, but not transcribed: {error}")
            failed.append(entry.id)
    return failed


def transcribe_entry(shelf: Library, entry: Entry, backend: Backend, language: str = "") -> None:
    """Transcribe a recording and keep the result. Raises BackendError."""
    from voicecard.transcribe.pieces import transcribe_stretches

    sound = entry.sound()
    with progress("transcribed") as update:
        transcript = transcribe_stretches(
            backend,
            sound.stretches,
            sound.sample_rate,
            lambda done_s, total_s: update(entry.id, done_s, total_s),
            total_samples=sound.kept_samples,
            language=language,
        )
    shelf.save_transcript(entry, transcript)
    note(
        f"{entry.id}: {len(transcript.segments)} passages transcribed by {transcript.backend}, model {transcript.model}"
    )
