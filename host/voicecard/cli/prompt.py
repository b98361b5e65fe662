"""The command that leads to MicroPython's prompt on a card."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from voicecard.cli.meeting import met_card
from voicecard.cli.options import PortPath
from voicecard.cli.output import note
from voicecard.errors import UsageError

if TYPE_CHECKING:
    from voicecard.device.client import CardLink

_RECORDING, _REPL = "recording", "repl"


def add_commands(app: typer.Typer) -> None:
    app.command()(repl)


def repl(
    port: PortPath = None,
    yes: Annotated[bool, typer.Option("--yes", help="Yes, end a recording that runs.")] = False,
) -> None:
    """Let a card start at MicroPython's prompt, and show it by mpremote; asks before it ends a recording.

    The card records nothing there. Ctrl-X leaves the terminal; `machine.reset()`, or the reset key, makes it a card again.
    Without a terminal only the prompt's port is printed.
    """
    from voicecard.device.prompt import go_to_prompt, show_terminal

    with met_card(port) as link:
        if _REPL not in link.hello.features:
            raise UsageError(f"the firmware of the card {link.hello.card} has no way to the prompt: update it")
        at_prompt = go_to_prompt(link, stop=_may_end_recording(link, yes))
    note(
        f"the card {link.hello.card} is at MicroPython's prompt on {at_prompt}, and records nothing until it starts again"
    )
    if sys.stdin.isatty():
        note("Ctrl-X leaves, `machine.reset()` makes it a card again")
        show_terminal(at_prompt)
    else:
        typer.echo(at_prompt)


def _may_end_recording(link: CardLink, yes: bool) -> bool:
    """Whether a recording is to be ended. Raises UsageError, or leaves, when its owner does not want that."""
    if yes or link.status().get("state") != _RECORDING:
        return yes
    if not sys.stdin.isatty():
        raise UsageError(f"the card {link.hello.card} is recording: end that with its key, or add --yes")
    typer.confirm(f"the card {link.hello.card} is recording: end the recording?", abort=True, err=True)
    return True
