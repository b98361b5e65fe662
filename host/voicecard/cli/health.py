"""Commands about a card's health: status, doctor, log, removed."""

from __future__ import annotations

from collections.abc import Callable
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
    app.command()(log)
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
        ("power", _power(fields)),
        ("set aside", f"{fields.get('set_aside', '?')} of {fields.get('sectors', '?')} sectors"),
        *_counter_rows(fields["counters"]),
    ]
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        typer.echo(f"{name:<{width}}  {value}")


def _power(fields: dict[str, Any]) -> str:
    """Battery and cable; a card in safe mode does not tell."""
    percent, hours, millivolts = (fields.get(f"battery_{name}") for name in ("percent", "hours_left", "mv"))
    told = ["on the cable"] if fields.get("on_cable") else []
    if isinstance(percent, int) and isinstance(millivolts, int):
        told.append(f"battery {percent} % ({millivolts / 1000:.2f} V)")
    elif fields.get("on_cable") is not None:
        told.append("no battery")
    if isinstance(hours, int):
        told.append(f"{hours} hours left")
    return ", ".join(told) or "unknown"


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


def log(port: PortPath = None, as_json: AsJson = False) -> None:
    """Print what a card has noted since its start, its last lines; each begins with the milliseconds since then."""
    with met_card(port) as link:
        card, lines = link.hello.card, link.log()
    if as_json:
        print_json(lines)
    elif lines:
        typer.echo("\n".join("".join(letter if letter.isprintable() else "?" for letter in line) for line in lines))
    else:
        note(f"the card {card} has noted nothing since its start")


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


def _counter_rows(counters: dict[str, Any]) -> list[tuple[str, str]]:
    """Those that are known first, in an order that makes sense; then what a newer card counts."""
    known = [(label, show(counters[name])) for name, (label, show) in _COUNTERS.items() if name in counters]
    return known + [(name.replace("_", " "), str(value)) for name, value in counters.items() if name not in _COUNTERS]


def _causes(boots: object) -> str:
    found = boots.items() if isinstance(boots, dict) else ()
    return ", ".join(f"{number} by {cause}" for cause, number in sorted(found) if number) or "none"


def _thousandths(unit: str) -> Callable[[object], str]:
    return lambda value: f"{value / 1000:g} {unit}" if isinstance(value, int) and value else "never measured"


_COUNTERS: dict[str, tuple[str, Callable[[object], str]]] = {
    "boots": ("starts", _causes),
    "failed_starts": ("failed starts", str),
    "cut_recordings": ("recordings cut", str),
    "lost_samples": ("samples lost", str),
    "longest_stall_us": ("longest stall", _thousandths("ms")),
    "erases": ("sectors erased", str),
    "link_errors": ("link errors", str),
    "lowest_battery_mv": ("lowest battery", _thousandths("V")),
}


def _removal(card: str, line: dict[str, Any]) -> tuple[str, ...]:
    wall_ms = line.get("wall_ms")
    known = isinstance(wall_ms, int) and 0 < wall_ms < 1 << 43
    when = f"{datetime.fromtimestamp(wall_ms / 1000):%Y-%m-%d %H:%M}" if known and wall_ms else "unknown"
    return f"{card}-{line.get('n', '?')}", when, str(line.get("why", "?")), str(line.get("digest", "?"))
