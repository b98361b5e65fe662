"""What commands print: JSON on request, tables and progress bars for people, nothing extra in a pipe."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import typer


def print_json(value: object) -> None:
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def note(sentence: str) -> None:
    """Tell people something that is not the command's result."""
    typer.echo(sentence, err=True)


def table(headings: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Columns as wide as their widest cell; the last one is not padded."""
    lines = [headings, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    widths[-1] = 0
    padded = ("  ".join([cell.ljust(width) for cell, width in zip(line, widths, strict=True)]) for line in lines)
    typer.echo("\n".join(padded))


def styled(text: str) -> str:
    """Bold on a terminal, unless NO_COLOR (https://no-color.org) is set."""
    return text if os.environ.get("NO_COLOR") or not sys.stdout.isatty() else typer.style(text, bold=True)


def duration(seconds: float) -> str:
    """0:07, 12:34 or 1:02:03."""
    whole = round(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"


@contextmanager
def progress(unit: str) -> Iterator[Callable[[str, float, float], None]]:
    """A progress bar on a terminal, silence elsewhere; call what it yields with (task name, done, total)."""
    if not sys.stderr.isatty():
        yield lambda name, done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} % " + unit))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, TaskID] = {}

        def update(name: str, done: float, total: float) -> None:
            if name not in tasks:
                tasks[name] = bar.add_task(name)
            bar.update(tasks[name], completed=done, total=total, visible=done < total)

        yield update
