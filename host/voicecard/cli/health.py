"""Commands about a card's health: status, doctor, removed."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import typer

from voicecard.cli.meeting import met_card
from voicecard.cli.options import AsJson, PortPath
from voicecard.cli.output import duration, note, print_json, table
from voicecard.errors import RefusedError

if TYPE_CHECKING:
    from voicecard.device.client import CardLink, Listed

_SIGNS = {"fine": "ok", "look": "look", "act": "ACT"}


def add_commands(app: typer.Typer) -> None:
    app.command()(status)
    app.command()(doctor)
    app.command()(removed)


def status(port: PortPath = None, as_json: AsJson = False) -> None:
    """Show what a card is doing, how much room it has, and its counters."""
    with met_card(port) as link:
        fields = {
            "card": link.hello.card,
            "firmware": link.hello.firmware,
            **link.status(),
            "counters": _counters(link),
        }
    if as_json:
        print_json(fields)
        return
    rows = [
        ("card", str(fields["card"] or "without a name")),
        ("firmware", str(fields["firmware"])),
        ("state", str(fields.get("state", "?"))),
        ("recordings", str(fields.get("recordings", "?"))),
        ("room left", duration(float(fields.get("seconds_left", 0))) + " of speech"),
        ("set aside", f"{fields.get('set_aside', '?')} of {fields.get('sectors', '?')} sectors"),
        *((name.replace("_", " "), _figure(value)) for name, value in fields["counters"].items()),
    ]
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        typer.echo(f"{name:<{width}}  {value}")


def doctor(port: PortPath = None, as_json: AsJson = False) -> None:
    """Explain a card's state and counters: what is normal, what to look at, what to do."""
    from voicecard.device.doctor import examine

    with met_card(port) as link:
        state, counters, recordings, log = link.status(), _counters(link), _recordings(link), link.log()
        card = link.hello.card
    findings = examine(state, counters, recordings, log)
    if as_json:
        told = [{"level": finding.level, "sentence": finding.sentence} for finding in findings]
        print_json({"card": card, "findings": told, "status": state, "counters": counters, "log": log})
        return
    for finding in findings:
        typer.echo(f"{_SIGNS[finding.level]:<5} {finding.sentence}")


def removed(port: PortPath = None, as_json: AsJson = False) -> None:
    """List the recordings that a card has removed to make room: each was in a library, proved by its digest."""
    with met_card(port) as link:
        card, removals = link.hello.card, link.removals()
    if as_json:
        print_json(removals)
    elif removals:
        table(("RECORDING", "REMOVED", "WHY", "SHA-256 BEGINS"), [_removal(card, line) for line in removals])
    else:
        note(f"the card {card} has removed nothing")


def _counters(link: CardLink) -> dict[str, Any]:
    """Nothing for a card that is too old to count."""
    from voicecard.firmware.wire.message import UNKNOWN

    try:
        return link.counters()
    except RefusedError as refusal:
        if refusal.code != UNKNOWN:
            raise
        return {}


def _recordings(link: CardLink) -> list[Listed]:
    """Nothing from a card whose storage is not prepared."""
    from voicecard.firmware.wire.message import FLASH

    try:
        return link.recordings()
    except RefusedError as refusal:
        if refusal.code != FLASH:
            raise
        return []


def _figure(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{number} by {cause}" for cause, number in value.items() if number) or "none"
    return str(value)


def _removal(card: str, line: dict[str, Any]) -> tuple[str, ...]:
    wall_ms = line.get("wall_ms")
    known = isinstance(wall_ms, int) and 0 < wall_ms < 1 << 43
    when = f"{datetime.fromtimestamp(wall_ms / 1000):%Y-%m-%d %H:%M}" if known and wall_ms else "unknown"
    return f"{card}-{line.get('n', '?')}", when, str(line.get("why", "?")), str(line.get("digest", "?"))
