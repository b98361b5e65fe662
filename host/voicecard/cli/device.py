"""Commands that talk to a card, real or emulated."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voicecard.cli.options import AsJson, LibraryPath, PortPath
from voicecard.cli.output import note, print_json, progress, table
from voicecard.errors import VoicecardError

if TYPE_CHECKING:
    from voicecard.device.emulate import Notice
    from voicecard.library.archive import Library
    from voicecard.library.entry import Entry
    from voicecard.sync import SyncReport


def add_commands(app: typer.Typer) -> None:
    app.command()(emulate)
    app.command()(devices)
    app.command()(sync)


def emulate(
    mic: Annotated[Path | None, typer.Option(help="Sound file that the microphone hears.")] = None,
    flash: Annotated[Path | None, typer.Option(help="Flash image to keep between runs; made if missing.")] = None,
    do: Annotated[
        str | None, typer.Option(help='What happens, e.g. "boot; tap rec; until mic-end; tap rec; plug".')
    ] = None,
    port_link: Annotated[Path | None, typer.Option(help="Path to make a link to the serial port at.")] = None,
    screens: Annotated[Path | None, typer.Option(help="Folder for a PNG of each screen shown.")] = None,
    realtime: Annotated[bool, typer.Option("--realtime", help="Let time pass as on a wall clock.")] = False,
) -> None:
    """Run the card's firmware on an emulated board.

    Words for --do, separated by semicolons: boot; tap KEY; double KEY; hold KEY 2s; wait 3s; until mic-end; plug (the
    cable is in; serve the host until it lets go); unplug; hang mic (the microphone delivers nothing more until the next
    restart); cut (power gone this instant). Keys are rec and memo. Without --do the card boots and stays plugged in
    until Ctrl-C.
    """
    from voicecard.device import emulate as emulator

    options = emulator.EmulateOptions(
        mic=mic, flash=flash, script=do, port_link=port_link, screens=screens, realtime=realtime
    )
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


def sync(
    port: PortPath = None,
    library: LibraryPath = None,
    no_transcribe: Annotated[bool, typer.Option("--no-transcribe", help="Only bring the recordings in.")] = False,
    as_json: AsJson = False,
) -> None:
    """Bring new recordings from the card into the library, and transcribe them."""
    from voicecard.device.find import open_card
    from voicecard.library.archive import Library
    from voicecard.sync import sync as sync_card

    with Library(library) as shelf:
        with open_card(port) as link, progress("received") as update:
            report = sync_card(link, shelf, update)
        note(_summary(report))
        for failure in report.failed:
            note(str(failure))
        failed = [] if no_transcribe else _transcribe_all(shelf, report.new)
    if as_json:
        new = [entry.id for entry in report.new]
        fields = {"card": report.card, "new": new, "known": report.known, "open": report.open}
        print_json({**fields, "received_bytes": report.received_bytes, "not_transcribed": failed})
    if failed or report.failed:
        raise typer.Exit(1)


def _tell(notice: Notice) -> None:
    if notice.kind != "screen":
        note(notice.text)


def _transcribe_all(shelf: Library, entries: list[Entry]) -> list[str]:
    """Transcribe each; one that fails does not keep the others from it. Returns the ids of those that failed."""
    from voicecard.cli.library import transcribe_entry

    failed = []
    for entry in entries:
        try:
            transcribe_entry(shelf, entry, None)
        except VoicecardError as error:
            note(f"{entry.id} is safe in the library, but not transcribed: {error}")
            failed.append(entry.id)
    return failed


def _summary(report: SyncReport) -> str:
    new = len(report.new)
    text = f"card {report.card}: {new} new recording{'' if new == 1 else 's'}"
    if report.received_bytes:
        text += f" ({report.received_bytes / 1e6:.1f} MB in {report.seconds:.1f} s)"
    if report.known:
        text += f", {report.known} already here"
    if report.open:
        text += f", {report.open} still being recorded"
    return text
