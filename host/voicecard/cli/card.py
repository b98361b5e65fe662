"""Commands that change a card, or save what is on it: settings, rescue, format, restart."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voicecard.cli.meeting import met_card
from voicecard.cli.options import AsJson, LibraryPath, PortPath
from voicecard.cli.output import note, print_json, progress, table
from voicecard.errors import RefusedError, UsageError

if TYPE_CHECKING:
    from voicecard.device.client import CardLink, Setting
    from voicecard.library.salvage import SalvageReport


def add_commands(app: typer.Typer) -> None:
    app.command()(settings)
    app.command()(rescue)
    app.command("format")(format_storage)
    app.command()(restart)
    app.command()(verify)


def settings(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Setting; all if left out.")] = None,
    value: Annotated[str | None, typer.Argument(metavar="[VALUE]", help="Its new value.")] = None,
    port: PortPath = None,
    as_json: AsJson = False,
) -> None:
    """Show a card's settings with what they may be, show one, or change one."""
    with met_card(port) as link:
        known = link.settings()
        if name is not None and name not in known:
            raise UsageError(f"there is no setting {name!r}: this card has {', '.join(known)}")
        if name is not None and value is not None:
            known[name]["value"] = link.set({name: _parsed(name, value, known[name].get("allowed"))})[name]
    shown = known if name is None else {name: known[name]}
    if as_json:
        print_json(shown)
    elif name is None:
        rows = [
            (n, *(str(about.get(key)) for key in ("value", "default")), _limits(about)) for n, about in known.items()
        ]
        table(("SETTING", "VALUE", "DEFAULT", "ALLOWED"), rows)
    else:
        typer.echo(str(known[name].get("value")))


def rescue(
    output: Annotated[Path, typer.Option("--output", "-o", help="File for the image of the card's storage.")],
    port: PortPath = None,
    image: Annotated[
        Path | None,
        typer.Option(
            help="Take it from a flash dump (whole, or the partition `recordings` alone) and not from a card."
        ),
    ] = None,
    library: LibraryPath = None,
    as_json: AsJson = False,
) -> None:
    """Save an image of a card's whole storage, and file every recording of which something in it can be read.

    The card itself is not changed, and counts nothing as safe by this. A dump is made with `esptool read-flash 0 ALL`.
    """
    from voicecard.device.rescue import copy_image, pull_image
    from voicecard.library.archive import Library
    from voicecard.library.salvage import salvage

    if output.exists():
        raise UsageError(f"{output} exists already: give another name")
    with Library(library) as shelf, progress("") as update:
        if image is not None:
            sectors = copy_image(image, output)
        else:
            with met_card(port) as link:
                sectors = pull_image(link, output, update)
        report = salvage(output, 0, sectors, shelf, update)
    note(_summary(report))
    if as_json:
        print_json(
            {
                **{"image": str(output), "sectors": report.sectors, "free_sectors": report.free_sectors},
                **{"senseless_sectors": report.senseless_sectors, "attached_sectors": report.attached_sectors},
                **{"new": [entry.id for entry in report.new], "known": report.known, "nameless": report.nameless},
            }
        )
    else:
        for entry in report.new:
            typer.echo(f"{entry.id}  {'; '.join(entry.details()['notes'])}")


def format_storage(
    yes: Annotated[bool, typer.Option("--yes", help="Yes, erase all recordings.")] = False, port: PortPath = None
) -> None:
    """Erase all recordings on a card and give it a new name; nothing else in this program ever erases any."""
    from voicecard.device.formatting import format_card

    with met_card(port) as link:
        if not yes:
            raise UsageError(f"{_what_would_go(link)}: add --yes if you mean it")
        with progress("erased") as update:
            name = format_card(link, update)
    note(f"the card is empty, and is called {name} from now on")


def restart(port: PortPath = None) -> None:
    """Let a card start again; that is the way out of safe mode."""
    with met_card(port) as link:
        link.restart()
    note("the card starts again")


def verify(port: PortPath = None, as_json: AsJson = False) -> None:
    """Prove that the files on a card are those of this program, by their SHA-256; exit code 1 if one is not."""
    from voicecard.device.verify import verify as compare

    with met_card(port) as link:
        verdict = compare(link)
        firmware = link.hello.firmware
    if as_json:
        print_json(
            {
                "firmware": firmware,
                "files": verdict.files,
                "compiled": verdict.compiled,
                "mpy": verdict.mpy,
                "own_pins": verdict.own_pins,
                "differences": [{"path": d.path, "what": d.what} for d in verdict.differences],
            }
        )
    else:
        for difference in verdict.differences:
            typer.echo(f"{difference.what:<8} {difference.path}")
        pins = ", with a pin map of its own" if verdict.own_pins else ""
        same = (
            "are this program's"
            if not verdict.differences
            else f"differ in {len(verdict.differences)}: `voicecard update` brings it up to date"
        )
        note(f"firmware {firmware}: {verdict.files} files on the card{pins} {same}")
    if verdict.differences:
        raise typer.Exit(1)


def _what_would_go(link: CardLink) -> str:
    from voicecard.firmware.wire.message import FLASH

    card = link.hello.card
    try:
        recordings = link.recordings()
    except RefusedError as refusal:
        if refusal.code != FLASH:
            raise
        return "format erases everything in this card's storage for good, and it cannot be said what that is"
    alone = sum(not listed.copies for listed in recordings)
    return (
        f"format erases all recordings on the card {card} for good: {len(recordings)} there are, and"
        f" {alone} of them no library holds"
    )


def _parsed(name: str, text: str, allowed: Any) -> Setting:
    """The value that a text means, one of those allowed. Raises UsageError that names them."""
    if isinstance(allowed, list):
        for value in allowed:
            if str(value) == text:
                return int(value) if isinstance(value, int) else str(value)
    elif isinstance(allowed, dict) and text.isdecimal() and allowed["from"] <= int(text) <= allowed["to"]:
        return int(text)
    raise UsageError(f"{name} cannot be {text!r}: give {_limits({'allowed': allowed})}")


def _limits(about: dict[str, Any]) -> str:
    allowed = about.get("allowed")
    if isinstance(allowed, dict):
        return f"{allowed.get('from')} to {allowed.get('to')}"
    return ", ".join(str(value) for value in allowed) if isinstance(allowed, list) else "?"


def _summary(report: SalvageReport) -> str:
    recordings = len(report.new)
    text = f"{report.sectors} sectors: {recordings} recording{'' if recordings == 1 else 's'} salvaged"
    if report.nameless:
        text += f" ({report.nameless} of them without a header that names them)"
    if report.known:
        text += f", {report.known} already in the library"
    if report.attached_sectors:
        text += f", {report.attached_sectors} sectors without a header placed by their neighbours"
    return text + f", {report.senseless_sectors} sectors make no sense"
