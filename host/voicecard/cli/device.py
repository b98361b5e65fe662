"""Commands about where cards are: emulate, devices, udev."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voicecard.cli.options import AsJson
from voicecard.cli.output import note, print_json, table
from voicecard.errors import UsageError

if TYPE_CHECKING:
    from voicecard.device.emulate import EmulateOptions
    from voicecard.device.emulation_report import Notice


def add_commands(app: typer.Typer) -> None:
    app.command()(emulate)
    app.command()(devices)
    app.command()(udev)


def emulate(
    mic: Annotated[Path | None, typer.Option(help="Sound file that the microphone hears.")] = None,
    own_mic: Annotated[
        bool,
        typer.Option("--own-mic", help="Hear this computer's own microphone; time then passes as on a wall clock."),
    ] = False,
    flash: Annotated[Path | None, typer.Option(help="Flash image to keep between runs; made if missing.")] = None,
    do: Annotated[
        str | None, typer.Option(help='What happens, e.g. "boot; tap rec; until mic-end; tap rec; plug".')
    ] = None,
    port_link: Annotated[Path | None, typer.Option(help="Path to make a link to the serial port at.")] = None,
    screens: Annotated[Path | None, typer.Option(help="Folder for a PNG of each screen shown.")] = None,
    realtime: Annotated[bool, typer.Option("--realtime", help="Let time pass as on a wall clock.")] = False,
    compiled: Annotated[
        bool, typer.Option("--compiled", help="Give a new card the application as `voicecard flash` does: compiled.")
    ] = False,
    board: Annotated[
        str, typer.Option(help="Board that it is wired like: devkitc, super_mini, xiao, or a .toml file.")
    ] = "devkitc",
) -> None:
    """Run the card's firmware on an emulated board.

    Words for --do, separated by semicolons: boot; tap KEY; double KEY; hold KEY 2s; wait 3s; until mic-end; plug (the
    cable is in; serve the host until it lets go); unplug; battery 3.4V; hang mic (the microphone delivers nothing more
    until the next restart); break mic zeros, or full (it delivers these); cut (power gone this instant). Keys are rec
    and memo. Without --do the card is there on the terminal, with its screen and its keys; in a pipe it boots and stays
    plugged in until Ctrl-C.
    """
    from voicecard.device import emulate as emulator

    if mic and own_mic:
        raise UsageError("the card has one microphone: give either --mic or --own-mic")
    options = emulator.EmulateOptions(
        mic=mic,
        computer_mic=own_mic,
        flash=flash,
        script=do,
        port_link=port_link,
        screens=screens,
        realtime=realtime,
        compiled=compiled,
        board=board,
    )
    if do is None and sys.stdin.isatty() and sys.stdout.isatty():
        _show(options)
    else:
        emulator.emulate(options, on_event=_tell)


def devices(as_json: AsJson = False) -> None:
    """List the cards that are plugged in, and running emulators."""
    from voicecard.device.find import probe_all

    found = probe_all()
    if as_json:
        print_json(
            [{"port": p.port, "kind": p.kind, "card": p.card, "firmware": p.firmware, "note": p.note} for p in found]
        )
    elif found:
        rows = [(p.card or "?", p.kind, p.port, p.note or f"firmware {p.firmware}") for p in found]
        table(("CARD", "KIND", "PORT", ""), rows)
    else:
        note("no cards: plug one in over USB, or start an emulated one with `voicecard emulate`")


def udev() -> None:
    """Print the udev rule that lets a card's owner open its ports on Linux, and where to put it."""
    from voicecard.device.find import USB_IDENTITIES
    from voicecard.device.permission import udev_rule

    typer.echo(udev_rule(USB_IDENTITIES))


def _show(options: EmulateOptions) -> None:
    """The card in a terminal. Raises what it failed of."""
    from voicecard.desk.app import Desk
    from voicecard.device.hands import Hands

    with Hands() as hands:
        desk = Desk(options, hands)
        desk.run()
    if desk.failure:
        raise desk.failure


def _tell(notice: Notice) -> None:
    if notice.kind not in ("screen", "signal"):
        note(notice.text)
