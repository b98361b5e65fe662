"""The command that tells which transcription backends there are, and what each lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from voicecard.cli.options import AsJson
from voicecard.cli.output import note, print_json, table
from voicecard.errors import VoicecardError

if TYPE_CHECKING:
    from voicecard.config import Config
    from voicecard.transcribe.backend import Backend


def add_commands(app: typer.Typer) -> None:
    app.command()(backends)


def backends(
    prepare: Annotated[
        str | None, typer.Option("--prepare", metavar="NAME", help="Fetch what this backend needs, e.g. its model.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the transcription backends, and what is missing to use each."""
    from voicecard.cli.config import program_config
    from voicecard.transcribe import backend

    config = program_config()
    if prepare is not None:
        chosen = backend.backend(prepare, config)
        chosen.prepare()
        note(f"{prepare} is ready" if (lack := chosen.missing()) is None else lack)
        return
    found = [(each, each.missing()) for each in backend.backends(config)]
    used = _used(config)
    if as_json:
        print_json([_fields(each, lack, each.name == used) for each, lack in found])
        return
    rows = [(("*" if each.name == used else " ") + each.name, _where(each), lack or "ready") for each, lack in found]
    table((" BACKEND", "SOUND", "STATE"), [*rows])
    note("* is used when none is named; `voicecard config set transcribe.backend NAME` chooses")


def _used(config: Config) -> str:
    """The name of the one that is taken when none is named."""
    from voicecard.transcribe.backend import choose

    try:
        return choose(config).name
    except VoicecardError as error:
        note(str(error))
        return ""


def _where(backend: Backend) -> str:
    return "goes to a server" if backend.sends_audio else "stays here"


def _fields(backend: Backend, lack: str | None, used: bool) -> dict[str, Any]:
    return {
        "name": backend.name,
        "description": backend.description,
        "model": backend.model,
        "sends_audio": backend.sends_audio,
        "ready": lack is None,
        "missing": lack,
        "used": used,
    }
