"""Commands on the program's settings: list, get, set, unset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from voicecard.cli.options import AsJson
from voicecard.cli.output import note, print_json, table

if TYPE_CHECKING:
    from voicecard.config import Config, Setting

Name = Annotated[str, typer.Argument(metavar="KEY", help="Name of the setting, e.g. transcribe.backend.")]


def add_commands(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="Show and change the program's settings.")
    group.command("list")(list_settings)
    group.command("get")(get)
    group.command("set")(set_value)
    group.command("unset")(unset)
    app.add_typer(group, name="config")


def program_settings() -> list[Setting[Any]]:
    """Every setting of the program and of its installed backends."""
    from voicecard import config
    from voicecard.insight import summariser
    from voicecard.transcribe import backend, server

    return [config.LIBRARY_PATH, *backend.declared_settings(), *server.SETTINGS, *summariser.SETTINGS]


def program_config() -> Config:
    """The settings file, read. Raises UsageError if it cannot be read, or has a key that means nothing."""
    from voicecard import config

    loaded = config.load()
    loaded.refuse_unknown(program_settings())
    return loaded


def list_settings(as_json: AsJson = False) -> None:
    """Show every setting: its value, its default, what it does."""
    config = program_config()
    rows = [(setting, config[setting]) for setting in program_settings()]
    if as_json:
        print_json([_fields(setting, value, setting in config) for setting, value in rows])
        return
    note(f"settings file: {config.path}")
    headings = ("KEY", "VALUE", "DEFAULT", "WHAT IT IS")
    table(headings, [(s.name, _shown(value), _shown(s.default), _explained(s)) for s, value in rows])


def get(key: Name, as_json: AsJson = False) -> None:
    """Print one setting's value."""
    from voicecard.config import find

    config = program_config()
    setting = find(key, program_settings())
    if as_json:
        print_json(_fields(setting, config[setting], setting in config))
    else:
        typer.echo(_shown(config[setting], ""))


def set_value(key: Name, value: Annotated[str, typer.Argument(metavar="VALUE", help="New value.")]) -> None:
    """Change one setting in the file, which keeps its comments."""
    from voicecard import config
    from voicecard.errors import UsageError

    setting = config.find(key, program_settings())
    try:
        config.write(config.default_path(), setting, setting.parse(value))
    except ValueError as error:
        raise UsageError(f"{key} {error}") from error


def unset(key: Name) -> None:
    """Take a setting out of the file, so that its default counts."""
    from voicecard import config

    config.remove(config.default_path(), key)


def _fields(setting: Setting[Any], value: object, is_set: bool) -> dict[str, object]:
    fields = {"name": setting.name, "value": value, "default": setting.default, "set": is_set}
    return {**fields, "choices": list(setting.choices), "help": setting.help}


def _shown(value: object, empty: str = "-") -> str:
    return str(value).lower() if isinstance(value, bool) else str(value) or empty


def _explained(setting: Setting[Any]) -> str:
    return f"{setting.help} ({', '.join(setting.choices)})" if setting.choices else setting.help
