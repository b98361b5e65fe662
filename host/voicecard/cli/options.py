"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
PortPath = Annotated[str | None, typer.Option("--port", help="Serial port of the card; found by itself if left out.")]
LibraryPath = Annotated[
    Path | None,
    typer.Option("--library", envvar="VOICECARD_HOME", help="Folder of the library.", show_default="~/voicecard"),
]
Id = Annotated[str, typer.Argument(metavar="ID", help="Id of a recording, a part of it that only one has, or latest.")]
