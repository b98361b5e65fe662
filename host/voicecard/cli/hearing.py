"""Commands about what the card hears."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from voicecard.cli.options import AsJson
from voicecard.cli.output import note, print_json


class EngineName(StrEnum):
    card = "card"
    webrtc = "webrtc"


class FrameMs(StrEnum):
    ms10 = "10"
    ms20 = "20"
    ms30 = "30"


def add_commands(app: typer.Typer) -> None:
    app.command()(vad)


def vad(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Sound file.")],
    mode: Annotated[int, typer.Option(min=0, max=3, help="0 keeps most, 3 is the most selective.")] = 1,
    frame_ms: Annotated[FrameMs, typer.Option(help="Length of a frame; the card uses 30.")] = FrameMs.ms30,
    engine: Annotated[
        EngineName, typer.Option(help="card: the card's own code in MicroPython; webrtc: the original.")
    ] = EngineName.card,
    plot: Annotated[Path | None, typer.Option(help="PNG to draw sound, decisions and what the gate keeps in.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what the card's voice detector decides on a sound: one 0 or 1 a frame, on one line."""
    from voicecard.hearing.replay import hear

    heard = hear(file, mode, int(frame_ms.value), engine.value, note)
    if plot:
        from voicecard.hearing.plot import draw

        draw(heard, f"{file.name}, mode {mode}", plot)
    if as_json:
        fields = {"file": str(file), "engine": heard.engine, "mode": heard.mode, "frame_ms": heard.frame_ms}
        seconds = {"length_s": len(heard.samples) / 16000, "kept_s": heard.seconds(heard.kept)}
        print_json({**fields, **seconds, "speech_s": heard.seconds(heard.speech), "decisions": heard.decisions})
    else:
        typer.echo(heard.decisions)
