"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def _library_path(path: Path | None) -> Path | None:
    """The setting counts when neither the option nor the environment names a folder."""
    if path is not None:
        return path
    from voicecard.config import LIBRARY_PATH, load

    chosen = load()[LIBRARY_PATH]
    return Path(chosen).expanduser() if chosen else None


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
PortPath = Annotated[str | None, typer.Option("--port", help="Serial port of the card; found by itself if left out.")]
LibraryPath = Annotated[
    Path | None,
    typer.Option(
        "--library",
        envvar="VOICECARD_HOME",
        help="Folder of the library.",
        show_default="the setting library.path, or ~/voicecard",
        callback=_library_path,
    ),
]
Id = Annotated[str, typer.Argument(metavar="ID", help="Id of a recording, a part of it that only one has, or latest.")]
