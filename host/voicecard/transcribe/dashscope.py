"""Alibaba's Qwen speech models (Model Studio, DashScope), over its OpenAI-compatible chat completions.

The sound is a data URI in the message, the answer is text with the language that was heard, without times:
https://www.alibabacloud.com/help/en/model-studio/qwen-asr-api-reference. Keys of the two regions differ.
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from voicecard.config import Config, Setting
from voicecard.http import Server, check_base_url
from voicecard.keys import Key
from voicecard.transcribe.audio import encoded
from voicecard.transcribe.backend import Backend, Heard, Limits
from voicecard.transcribe.languages import iso_639_1
from voicecard.transcribe.model import Segment

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# The service takes 5 minutes and 10 MB of base64; short pieces give the text its place on the time line.
PIECE_S = 30.0
PIECE_BYTES = 7_000_000
OWN_DOMAIN = ".aliyuncs.com"

BASE_URL = Setting(
    "dashscope.base_url",
    "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
    "address of the region; mainland China: https://dashscope.aliyuncs.com/compatible-mode/v1",
    check=check_base_url,
)
MODEL = Setting("dashscope.model", "qwen3-asr-flash", "Qwen speech model that answers at once")
LANGUAGE = Setting("dashscope.language", "", "language that is spoken (ISO 639-1, like zh); found out if empty")
PARALLEL = Setting("dashscope.parallel", 4, "requests at a time", at_least=1, at_most=32)
TIMEOUT = Setting("dashscope.timeout_s", 120.0, "longest wait for an answer, in seconds", at_least=1, at_most=3600)


class DashScope(Backend):
    name = "dashscope"
    description = "Alibaba's Qwen speech models by DashScope: Mandarin, its dialects, and many other languages"
    settings = (BASE_URL, MODEL, LANGUAGE, PARALLEL, TIMEOUT)

    def __init__(self, config: Config) -> None:
        self.model = config[MODEL]
        self.language = config[LANGUAGE]
        self.limits = Limits(PIECE_S, PIECE_BYTES, config[PARALLEL])
        address = urlsplit(config[BASE_URL])
        own = (address.hostname or "").endswith(OWN_DOMAIN)
        variables = ("VOICECARD_DASHSCOPE_KEY", *(("DASHSCOPE_API_KEY",) if own else ()))
        self.key = Key(self.name, address.netloc, variables)
        self._server = Server(self.name, config[BASE_URL], config[TIMEOUT], self.key)

    def missing(self) -> str | None:
        return self._server.missing_key()

    def transcribe(self, samples: NDArray[np.int16], sample_rate: int, language: str = "") -> Heard:
        wanted = language or self.language
        sound = b64encode(encoded(samples, sample_rate)).decode()
        content = {"type": "input_audio", "input_audio": {"data": f"data:audio/flac;base64,{sound}"}}
        answer = self._server.post(
            "/chat/completions",
            body={
                "model": self.model,
                "messages": [{"role": "user", "content": [content]}],
                "stream": False,
                "asr_options": {"language": wanted} if wanted else {},
            },
        )
        text, told = self._said(answer)
        return Heard((Segment(0.0, len(samples) / sample_rate, text),) if text else (), told)

    def _said(self, answer: Any) -> tuple[str, str]:
        """Text and language of a chat completion."""
        try:
            message = answer["choices"][0]["message"]
            notes = [note for note in message.get("annotations") or () if note.get("type") == "audio_info"]
            return str(message["content"] or "").strip(), iso_639_1(notes[0].get("language") if notes else "")
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            raise self._server.nonsense(f"something else ({error!r})") from error
