"""The command by which a board shows what it is worth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import click
import typer

from voicecard.cli.meeting import met_card
from voicecard.cli.options import AsJson, PortPath
from voicecard.cli.output import note, print_json, table

if TYPE_CHECKING:
    from voicecard.device.selftest import Line, Owner


def add_commands(app: typer.Typer) -> None:
    app.command()(selftest)


def selftest(
    port: PortPath = None,
    unattended: Annotated[
        bool, typer.Option("--unattended", help="Leave out what needs eyes and hands: screen, keys, a recording.")
    ] = False,
    load_s: Annotated[
        float, typer.Option("--load", metavar="SECONDS", min=1, max=3600, help="How long everything runs at once.")
    ] = 60,
    as_json: AsJson = False,
) -> None:
    """Measure a card's board: memory, flash, microphone, speed, link, screen, keys, and lost sound under full load.

    Exit code 1 if something is not as it must be. Four free sectors of the storage are written and erased for it; recordings
    are left alone, and one that you begin for it stays on the card.
    """
    from voicecard.device import selftest as parts

    with met_card(port) as link:
        card, firmware = link.hello.card, link.hello.firmware
        lines = []
        for line in parts.selftest(link, None if unattended else _owner(), load_s):
            lines.append(line)
            note(f"{line.verdict:<9} {line.name}")
    failed = [line for line in lines if line.verdict == "FAIL"]
    if as_json:
        print_json({"card": card, "firmware": firmware, "lines": [_as_object(line) for line in lines]})
    else:
        table(("LINE", "MEASURED", "LIMIT", "VERDICT"), [_as_row(line) for line in lines])
    note(
        f"{len(lines)} lines, {len(failed)} failed, {sum(line.value is None for line in lines)} not tried"
        " (what each proves: hardware/UNPROVEN.md)"
    )
    if failed:
        raise typer.Exit(1)


def _owner() -> Owner:
    from voicecard.device.selftest import Owner

    return Owner(note, _asked)


def _asked(question: str) -> bool:
    """Nobody who answers has not seen it."""
    try:
        return typer.confirm(question, err=True)
    except click.Abort:
        return False


def _as_row(line: Line) -> tuple[str, str, str, str]:
    measured = "" if line.value is None else f"{_number(line.value)} {line.unit}".strip()
    return line.name, measured, _limit(line), f"{line.verdict}{': ' if line.why else ''}{line.why}"


def _limit(line: Line) -> str:
    limits = [
        f"{sign} {_number(limit)}" for sign, limit in ((">=", line.least), ("<=", line.most)) if limit is not None
    ]
    return ", ".join(limits)


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.1f}".removesuffix(".0")


def _as_object(line: Line) -> dict[str, object]:
    value = round(line.value, 3) if isinstance(line.value, float) else line.value
    return {
        "name": line.name,
        "value": value,
        "unit": line.unit,
        "least": line.least,
        "most": line.most,
        "verdict": line.verdict,
        "why": line.why,
    }
