"""What OpenAI's transcription endpoint answers (https://platform.openai.com/docs/api-reference/audio), from a transcript."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from voicecard.subtitles import srt, vtt
from voicecard.transcribe.model import Segment, Transcript

FORMATS = {
    "json": "application/json",
    "verbose_json": "application/json",
    "text": "text/plain",
    "srt": "text/plain",
    "vtt": "text/vtt",
}


def answer(
    transcript: Transcript, wanted: str, granularities: Collection[str], duration_s: float
) -> str | dict[str, Any]:
    """The body in one of FORMATS: an object where that is JSON."""
    if wanted == "json":
        return {"text": transcript.text}
    if wanted == "verbose_json":
        return _verbose(transcript, granularities, duration_s)
    if wanted == "srt":
        return srt(transcript.segments)
    return vtt(transcript.segments) if wanted == "vtt" else transcript.text + "\n"


def error(message: str, kind: str, *, parameter: str | None = None, code: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": parameter, "code": code}}


def models(names: Collection[str]) -> dict[str, Any]:
    return {"object": "list", "data": [model(name) for name in names]}


def model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "voicecard"}


def _verbose(transcript: Transcript, granularities: Collection[str], duration_s: float) -> dict[str, Any]:
    content: dict[str, Any] = {
        "task": "transcribe",
        "language": transcript.language,
        "duration": round(duration_s, 3),
        "text": transcript.text,
    }
    if "segment" in granularities or not granularities:
        content["segments"] = [_segment(number, segment) for number, segment in enumerate(transcript.segments)]
    if "word" in granularities:
        words = (word for segment in transcript.segments for word in segment.words)
        content["words"] = [{"word": word.text, "start": word.start_s, "end": word.end_s} for word in words]
    return content


def _segment(number: int, segment: Segment) -> dict[str, Any]:
    """The figures that only Whisper has are there for clients that insist on them, and say nothing."""
    figures = {
        "seek": 0,
        "tokens": [],
        "temperature": 0.0,
        "avg_logprob": 0.0,
        "compression_ratio": 1.0,
        "no_speech_prob": 0.0,
    }
    return {"id": number, "start": segment.start_s, "end": segment.end_s, "text": segment.text, **figures}
