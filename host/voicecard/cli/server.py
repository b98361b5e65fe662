"""The command that offers the transcription backends to other programs."""

from __future__ import annotations

from typing import Annotated

import typer

from voicecard.cli.output import note
from voicecard.cli.stopping import until_stopped


def add_commands(app: typer.Typer) -> None:
    app.command("transcription-server")(transcription_server)


def transcription_server(
    backend: Annotated[
        str | None, typer.Option(help="Backend for those who ask for whisper-1; that of the settings if left out.")
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on; the setting server.host if left out.")] = None,
    port: Annotated[
        int | None, typer.Option(help="Port; the setting server.port if left out.", min=0, max=65535)
    ] = None,
) -> None:
    """Offer transcription to other programs at OpenAI's /v1/audio/transcriptions, until Ctrl-C."""
    from voicecard.cli.config import program_config
    from voicecard.errors import BackendError
    from voicecard.transcribe.backend import backends, choose
    from voicecard.transcribe.server import HOST, PORT, serve

    config = program_config()
    chosen = choose(config, backend)
    if (lack := chosen.missing()) is not None:
        raise BackendError(lack)
    others = [b for b in backends(config) if b.name != chosen.name and not b.sends_audio and b.missing() is None]
    served = ", ".join(each.name for each in [chosen, *others])
    with until_stopped():
        serve(
            [chosen, *others],
            config,
            config[HOST] if host is None else host,
            config[PORT] if port is None else port,
            lambda address: note(f"{address} transcribes with {served}; Ctrl-C ends it"),
        )
