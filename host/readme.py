"""What host/README.md says that the program knows better: `make docs` puts it there, by cog."""

from __future__ import annotations

from collections.abc import Iterator

import typer.core
import typer.main

from voicecard.cli.app import app
from voicecard.cli.config import program_settings

WIDTH = 100


def commands() -> str:
    """Every command's help, as the terminal shows it."""
    program = typer.main.get_command(app)
    contexts = _commands(typer.Context(program, info_name="voicecard", **program.context_settings))
    return "\n\n".join(f"### `{each.command_path}`\n\n```\n{each.get_help()}\n```" for each in contexts)


def settings() -> str:
    """A table of what config.toml may hold."""
    rows = ["| setting | default | what it is |", "| --- | --- | --- |"]
    for setting in program_settings():
        default = str(setting.default).lower() if isinstance(setting.default, bool) else str(setting.default)
        choices = f" ({', '.join(map(str, setting.choices))})" if setting.choices else ""
        rows.append(f"| `{setting.name}` | {f'`{default}`' if default else ''} | {_cell(setting.help + choices)} |")
    return "\n".join(rows)


def _commands(context: typer.Context) -> Iterator[typer.Context]:
    """It and those below it, depth first, each with the width that does not depend on a terminal."""
    context.terminal_width = context.max_content_width = WIDTH
    yield context
    if isinstance(context.command, typer.core.TyperGroup):
        for name, command in context.command.commands.items():
            if not command.hidden:
                yield from _commands(typer.Context(command, info_name=name, parent=context))


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
