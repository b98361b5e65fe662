"""Any speech-to-text server that Home Assistant can use, by its Wyoming protocol (`pip install 'voicecard[wyoming]'`).

The protocol gives text and its language, no times, so that sound is sent in short pieces, a connection each.
"""

from __future__ import annotations

import asyncio
from importlib.util import find_spec
from typing import TYPE_CHECKING

from voicecard.config import Config, Setting
from voicecard.errors import BackendError
from voicecard.transcribe.audio import at_rate
from voicecard.transcribe.backend import Backend, Heard, Limits
from voicecard.transcribe.languages import iso_639_1
from voicecard.transcribe.model import Segment

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from wyoming.asr import Transcript

SAMPLE_RATE = 16_000  # that every server takes
CHUNK_BYTES = 8192
CONNECT_TIMEOUT_S = 15.0
MAX_TEXT = 100_000

HOST = Setting("wyoming.host", "", "host of the server, like homeassistant.local")
PORT = Setting("wyoming.port", 10300, "its port", at_least=1, at_most=65535)
MODEL = Setting("wyoming.model", "", "model to ask for, if the server has several")
LANGUAGE = Setting("wyoming.language", "", "language that is spoken (ISO 639-1, like de); the server's own if empty")
PARALLEL = Setting("wyoming.parallel", 1, "pieces at a time", at_least=1, at_most=32)
TIMEOUT = Setting(
    "wyoming.timeout_s", 120.0, "longest wait for the text of a piece, in seconds", at_least=1, at_most=3600
)


class Wyoming(Backend):
    name = "wyoming"
    description = "any speech-to-text server of Home Assistant (Wyoming protocol)"
    settings = (HOST, PORT, MODEL, LANGUAGE, PARALLEL, TIMEOUT)

    def __init__(self, config: Config) -> None:
        self._host, self._port = config[HOST], config[PORT]
        self._timeout_s = config[TIMEOUT]
        self._asked_model = config[MODEL]
        self.model = config[MODEL] or "the server's"
        self.language = config[LANGUAGE]
        self.limits = Limits(piece_s=30.0, parallel=config[PARALLEL])

    def missing(self) -> str | None:
        if find_spec("wyoming") is None:
            return "the package wyoming is not installed: install it with `pip install 'voicecard[wyoming]'`"
        if not self._host:
            return "no server is named: `voicecard config set wyoming.host HOST` names it"
        return None

    def transcribe(self, samples: NDArray[np.int16], sample_rate: int, language: str = "") -> Heard:
        sound = at_rate(samples, sample_rate, SAMPLE_RATE).astype("<i2").tobytes()
        try:
            answer = asyncio.run(self._ask(sound, language or self.language))
        except TimeoutError as error:
            raise BackendError(
                f"{self._who} took longer than {self._timeout_s:g} s: try again later, or raise wyoming.timeout_s",
                retry=True,
            ) from error
        except (OSError, EOFError) as error:
            reason = getattr(error, "strerror", None) or error
            raise BackendError(
                f"{self._who} cannot be reached, or broke off ({reason}): check wyoming.host and wyoming.port, and try again",
                retry=True,
            ) from error
        text = answer.text.strip()
        return Heard((Segment(0.0, len(samples) / sample_rate, text),) if text else (), iso_639_1(answer.language))

    @property
    def _who(self) -> str:
        return f"the Wyoming server {self._host}:{self._port}"

    async def _ask(self, sound: bytes, language: str) -> Transcript:
        async with asyncio.timeout(min(CONNECT_TIMEOUT_S, self._timeout_s)):
            reader, writer = await asyncio.open_connection(self._host, self._port)
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._send(writer, sound, language)
                return await self._transcript(reader)
        finally:
            writer.transport.abort()  # a goodbye would wait for a server that does not read

    async def _send(self, writer: asyncio.StreamWriter, sound: bytes, language: str) -> None:
        from wyoming.asr import Transcribe
        from wyoming.audio import AudioChunk, AudioStart, AudioStop
        from wyoming.event import async_write_event

        await async_write_event(Transcribe(self._asked_model or None, language or None).event(), writer)
        await async_write_event(AudioStart(SAMPLE_RATE, 2, 1).event(), writer)
        for at in range(0, len(sound), CHUNK_BYTES):
            await async_write_event(AudioChunk(SAMPLE_RATE, 2, 1, sound[at : at + CHUNK_BYTES]).event(), writer)
        await async_write_event(AudioStop().event(), writer)

    async def _transcript(self, reader: asyncio.StreamReader) -> Transcript:
        """The final text; what comes before it (parts of it, information) is passed over."""
        from wyoming.asr import Transcript
        from wyoming.error import Error
        from wyoming.event import async_read_event

        while event := await async_read_event(reader):
            if Error.is_type(event.type):
                said = " ".join(str(event.data.get("text", "")).split())[:300].rstrip(". ")
                raise BackendError(f"{self._who} failed ({said}): look into its log")
            if Transcript.is_type(event.type):
                text = event.data.get("text")
                if not isinstance(text, str) or len(text) > MAX_TEXT:
                    raise BackendError(
                        f"{self._who} answered with something else instead of a text: check wyoming.port"
                    )
                return Transcript.from_event(event)
        raise BackendError(f"{self._who} ended without an answer: check wyoming.port, and its log", retry=True)
