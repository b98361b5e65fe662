"""The command that holds a card to the protocol's rules."""

from __future__ import annotations

from typing import Annotated

import typer

from voicecard.cli.options import AsJson
from voicecard.cli.output import note, print_json, table


def add_commands(app: typer.Typer) -> None:
    app.command()(conformance)


def conformance(
    port: Annotated[str, typer.Option("--port", help="Serial port of the card.")],
    write: Annotated[
        bool,
        typer.Option("--write", help="Also prove a recording, for a library that does not exist, and take that back."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Hold any card to the rules of the link protocol (firmware/PROTOCOL.md); its recordings stay as they are."""
    from voicecard.device.conformance.rule import FAILED, NOT_TRIED, PASSED
    from voicecard.device.conformance.run import examine
    from voicecard.device.port import Port

    with Port(port) as opened:
        outcomes = list(examine(opened, write))
    if as_json:
        print_json(
            [
                {"rule": o.rule.name, "sentence": o.rule.sentence, "outcome": o.result, "detail": o.detail}
                for o in outcomes
            ]
        )
    else:
        table(("RULE", "OUTCOME", "DETAIL"), [(o.rule.name, o.result, o.detail) for o in outcomes])
        counts = {result: sum(o.result == result for o in outcomes) for result in (PASSED, FAILED, NOT_TRIED)}
        note(f"{len(outcomes)} rules: " + ", ".join(f"{count} {result}" for result, count in counts.items()))
    if any(o.result == FAILED for o in outcomes):
        raise typer.Exit(1)
