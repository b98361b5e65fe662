"""Any server with OpenAI's `/audio/transcriptions`: OpenAI itself, Groq, whisper.cpp's server, speaches, LocalAI, voicecard's own.

What a server can give is asked for in this order: speakers (`diarized_json`, of the models that are named so), times
(`verbose_json`, with those of words), or text alone (`json`). A server that refuses `verbose_json` is asked for text from
then on. Text alone has no times, so that it is asked for in short pieces.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from voicecard.config import Config, Setting
from voicecard.http import Server, ServerRefusedError, check_base_url
from voicecard.keys import Key
from voicecard.transcribe.audio import Container, encoded
from voicecard.transcribe.backend import Backend, Heard, Limits
from voicecard.transcribe.languages import iso_639_1
from voicecard.transcribe.model import Segment, Word

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# OpenAI's limit is 25 MB a file, and 1,400 s for the models that are no Whisper.
PIECE_S = 600.0
PIECE_BYTES = 24_000_000
TEXT_PIECE_S = 30.0
# A key from these variables goes to the server that it belongs to, and to no other.
OWN_VARIABLES = {"api.openai.com": "OPENAI_API_KEY", "api.groq.com": "GROQ_API_KEY"}

_ASKED_WITH: dict[str, dict[str, list[str] | str]] = {
    "verbose_json": {"timestamp_granularities[]": ["segment", "word"]},
    "diarized_json": {"chunking_strategy": "auto"},  # which these models demand for more than 30 s
}

BASE_URL = Setting("openai.base_url", "https://api.openai.com/v1", "address of the server", check=check_base_url)
MODEL = Setting("openai.model", "whisper-1", "model, as the server calls it")
LANGUAGE = Setting("openai.language", "", "language that is spoken (ISO 639-1, like de); found out if empty")
FORMAT = Setting(
    "openai.response_format",
    "auto",
    "what is asked for: with speakers, with times, or text; auto: by the model, and what the server accepts",
    choices=("auto", "diarized_json", "verbose_json", "json"),
)
AUDIO = Setting(
    "openai.audio_format",
    "flac",
    "how sound is sent; wav is larger, and every server reads it",
    choices=("flac", "wav"),
)
PARALLEL = Setting("openai.parallel", 4, "requests at a time", at_least=1, at_most=32)
TIMEOUT = Setting("openai.timeout_s", 300.0, "longest wait for an answer, in seconds", at_least=1, at_most=3600)


class OpenAI(Backend):
    name = "openai"
    description = "any server with OpenAI's /v1/audio/transcriptions: OpenAI, Groq, whisper.cpp, speaches, LocalAI"
    settings = (BASE_URL, MODEL, LANGUAGE, FORMAT, AUDIO, PARALLEL, TIMEOUT)

    def __init__(self, config: Config) -> None:
        self.model = config[MODEL]
        self.language = config[LANGUAGE]
        self._container: Container = "wav" if config[AUDIO] == "wav" else "flac"
        base_url = config[BASE_URL]
        host = urlsplit(base_url).hostname or ""
        own = OWN_VARIABLES.get(host)
        self._key_needed = own is not None
        self.key = Key(self.name, urlsplit(base_url).netloc, ("VOICECARD_OPENAI_KEY", *([own] if own else [])))
        self._server = Server(self.name, base_url, config[TIMEOUT], self.key)
        self._format = _format(self.model) if config[FORMAT] == "auto" else config[FORMAT]
        self._may_fall_back = config[FORMAT] == "auto"
        self.limits = Limits(PIECE_S, PIECE_BYTES, config[PARALLEL], self._format == "diarized_json")

    def missing(self) -> str | None:
        return self._server.missing_key() if self._key_needed else None

    def transcribe(self, samples: NDArray[np.int16], sample_rate: int, language: str = "") -> Heard:
        language = language or self.language
        if (wanted := self._format) != "json":
            try:
                answer = self._ask(samples, sample_rate, language, wanted)
                if answer.get("segments") or not _text(answer) or not self._may_fall_back:
                    return self._with_times(answer, len(samples) / sample_rate)
            except ServerRefusedError as refusal:
                if not (self._may_fall_back and _is_about_format(refusal)):
                    raise
            self._format = "json"
        return self._text_alone(samples, sample_rate, language)

    def _with_times(self, answer: dict[str, Any], length_s: float) -> Heard:
        try:
            found = tuple(_segments(answer))
        except (KeyError, TypeError, ValueError) as error:
            raise self._server.nonsense(f"something else ({error!r})") from error
        if not found and (text := _text(answer)):
            found = (Segment(0.0, length_s, text),)
        return Heard(found, iso_639_1(answer.get("language")))

    def _text_alone(self, samples: NDArray[np.int16], sample_rate: int, language: str) -> Heard:
        from voicecard.transcribe.pieces import cut

        found, told = [], ""
        for start, piece in cut([(0, samples)], sample_rate, TEXT_PIECE_S):
            answer = self._ask(piece, sample_rate, language, "json")
            told = told or iso_639_1(answer.get("language"))
            if text := _text(answer):
                found.append(Segment(start / sample_rate, (start + len(piece)) / sample_rate, text))
        return Heard(tuple(found), told)

    def _ask(self, samples: NDArray[np.int16], sample_rate: int, language: str, wanted: str) -> dict[str, Any]:
        fields: dict[str, str | list[str]] = {
            "model": self.model,
            "response_format": wanted,
            **_ASKED_WITH.get(wanted, {}),
        }
        if language:
            fields["language"] = language
        sound = encoded(samples, sample_rate, self._container)
        answer = self._server.post(
            "/audio/transcriptions",
            fields=fields,
            file=(f"piece.{self._container}", sound, f"audio/{self._container}"),
        )
        if not isinstance(answer, dict):
            raise self._server.nonsense("something else")
        return answer


def _text(answer: dict[str, Any]) -> str:
    return str(answer.get("text") or "").strip()


def _format(model: str) -> str:
    """The most that a model can give, by its name: OpenAI's are known, others are taken for Whisper."""
    if "diarize" in model:
        return "diarized_json"
    return "json" if "gpt" in model and "transcribe" in model else "verbose_json"


def _is_about_format(refusal: ServerRefusedError) -> bool:
    about = f"{refusal.parameter} {refusal.reason}"
    return refusal.status in (400, 415, 422) and any(
        word in about for word in ("response_format", "verbose_json", "diarized_json", "timestamp_granularities")
    )


def _segments(answer: dict[str, Any]) -> Iterable[Segment]:
    """Segments with their words, which OpenAI lists beside them, and whisper.cpp within. Raises KeyError and the like."""
    parts = list(answer.get("segments") or ())
    beside = [_word(word) for word in answer.get("words") or ()]
    for number, part in enumerate(parts):
        start_s, end_s = float(part["start"]), float(part["end"])
        words = [_word(word) for word in part.get("words") or ()]
        if not words:
            next_s = float(parts[number + 1]["start"]) if number + 1 < len(parts) else float("inf")
            count = sum((word.start_s + word.end_s) / 2 < max(end_s, next_s) for word in beside)
            words, beside = beside[:count], beside[count:]
        speaker = part.get("speaker")
        if text := str(part["text"]).strip():
            yield Segment(start_s, end_s, text, str(speaker) if speaker else None, tuple(words))


def _word(word: dict[str, Any]) -> Word:
    return Word(float(word["start"]), float(word["end"]), str(word["word"]).strip())
