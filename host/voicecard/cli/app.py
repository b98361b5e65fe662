"""The program's commands, put together."""

from __future__ import annotations

from typing import Annotated

import typer

from voicecard import __version__
from voicecard.cli import (
    at_hand,
    backends,
    card,
    config,
    conformance,
    device,
    editing,
    exporting,
    flashing,
    health,
    hearing,
    importing,
    jobs,
    keys,
    library,
    prompt,
    search,
    selftest,
    server,
    summarising,
    syncing,
    transcribing,
    trash,
)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"voicecard {__version__}")
        raise typer.Exit


@app.callback()
def voicecard(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Sync, transcribe and keep the recordings of a voicecard."""


device.add_commands(app)
flashing.add_commands(app)
syncing.add_commands(app)
health.add_commands(app)
conformance.add_commands(app)
card.add_commands(app)
selftest.add_commands(app)
prompt.add_commands(app)
library.add_commands(app)
importing.add_commands(app)
exporting.add_commands(app)
jobs.add_commands(app)
search.add_commands(app)
editing.add_commands(app)
at_hand.add_commands(app)
trash.add_commands(app)
transcribing.add_commands(app)
summarising.add_commands(app)
backends.add_commands(app)
server.add_commands(app)
config.add_commands(app)
keys.add_commands(app)
hearing.add_commands(app)
