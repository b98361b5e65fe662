"""Commands on the keys of services: they go into the system's keyring, and are never shown."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from voicecard.cli.options import AsJson
from voicecard.cli.output import note, print_json, table

if TYPE_CHECKING:
    from voicecard.keys import Key

Name = Annotated[str, typer.Argument(metavar="NAME", help="Whose key: a backend's name, summarise, or server.")]


def add_commands(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="Keep keys of services in the system's keyring.")
    group.command("list")(list_keys)
    group.command("set")(set_key)
    group.command("forget")(forget)
    app.add_typer(group, name="key")


def list_keys(as_json: AsJson = False) -> None:
    """List the keys that may be needed, and where each was found."""
    from voicecard.errors import VoicecardError
    from voicecard.keys import find_key

    rows = []
    for key in _keys():
        try:
            found = find_key(key)
            where = found.where if found else None
        except VoicecardError as error:
            where = str(error)
        rows.append({"name": key.name, "server": key.server, "where": where, "variables": list(key.variables)})
    if as_json:
        print_json(rows)
    else:
        table(("NAME", "FOR", "FOUND IN"), [(str(r["name"]), str(r["server"]), str(r["where"] or "-")) for r in rows])


def set_key(name: Name) -> None:
    """Ask for a key, without echo, and keep it in the system's keyring. In a pipe it is read from standard input."""
    from voicecard.keys import store_key

    key = _key(name)
    store_key(key, _asked(f"key for {key.server}") if sys.stdin.isatty() else sys.stdin.readline())
    note(f"the keyring keeps the key {key.name} for {key.server}")


def forget(name: Name) -> None:
    """Take a key out of the system's keyring."""
    from voicecard.keys import forget_key

    key = _key(name)
    forget_key(key)
    note(f"the keyring has forgotten the key {key.name} for {key.server}")


def _asked(question: str) -> str:
    return str(typer.prompt(question, hide_input=True, err=True))


def _keys() -> list[Key]:
    from voicecard.cli.config import program_config
    from voicecard.insight import summariser
    from voicecard.transcribe import backend, server

    config = program_config()
    keys = [each.key for each in backend.backends(config) if each.key]
    if summariser.is_wanted(config):
        keys.append(summariser.key_of(config[summariser.BASE_URL]))
    return [*keys, server.TOKEN]


def _key(name: str) -> Key:
    from voicecard.errors import UsageError

    keys = {key.name: key for key in _keys()}
    if name not in keys:
        raise UsageError(f"nothing needs a key {name!r}: choose one of {', '.join(sorted(keys))}")
    return keys[name]
