"""What a transcript is: words in segments, with times in seconds on the recording's true time line.

The content of a transcript.json:

    version     1
    backend model   that made it
    language    ISO 639-1
    segments    in order; each:
        start_s end_s   seconds from the recording's start
        text            what was said
        speaker         label that the backend gave, e.g. S1, or null; a person's name for it is in transcript.md
        words           list of {start_s, end_s, text}; empty if the backend does not tell

Readers ignore fields that they do not know."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from voicecard.errors import FormatError

VERSION = 1


@dataclass(frozen=True, slots=True)
class Word:
    start_s: float
    end_s: float
    text: str


@dataclass(frozen=True, slots=True)
class Segment:
    """Something said in one go. `speaker` is a label, None if the backend does not tell speakers apart."""

    start_s: float
    end_s: float
    text: str
    speaker: str | None = None
    words: tuple[Word, ...] = ()


@dataclass(frozen=True, slots=True)
class Transcript:
    """A recording's segments in order, by which backend and model, in which language (ISO 639-1)."""

    backend: str
    model: str
    language: str
    segments: tuple[Segment, ...] = ()

    @property
    def text(self) -> str:
        return " ".join(segment.text for segment in self.segments)

    @property
    def speakers(self) -> list[str]:
        """The labels, in the order in which they first speak."""
        return list(dict.fromkeys(s.speaker for s in self.segments if s.speaker is not None))

    def to_json(self) -> dict[str, Any]:
        """The content of a transcript.json."""
        return {"version": VERSION, **asdict(self)}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Transcript:
        """Inverse of `to_json`; fields that this version does not know are ignored.

        Raises FormatError if the content is no transcript."""
        try:
            version = int(content["version"])
            if version > VERSION:
                raise FormatError("the transcript was written by a newer voicecard: update voicecard to read it")
            return cls(
                backend=_text(content["backend"]),
                model=_text(content["model"]),
                language=_text(content["language"]),
                segments=tuple(_segment(part) for part in content["segments"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise FormatError(f"the transcript is damaged ({error!r}): transcribe the recording again") from error


def _segment(part: dict[str, Any]) -> Segment:
    speaker = part.get("speaker")
    return Segment(
        start_s=_seconds(part["start_s"]),
        end_s=_seconds(part["end_s"]),
        text=_text(part["text"]),
        speaker=None if speaker is None else _text(speaker),
        words=tuple(
            Word(_seconds(w["start_s"]), _seconds(w["end_s"]), _text(w["text"])) for w in part.get("words", ())
        ),
    )


def _seconds(value: object) -> float:
    seconds = float(value)  # type: ignore[arg-type]
    if not math.isfinite(seconds):
        raise ValueError("a time that is no number")
    return seconds


def _text(value: object) -> str:
    text = str(value)
    text.encode()  # a lone half of a surrogate pair is no text
    return text


def clock(seconds: float) -> str:
    """Whole seconds as m:ss, from one hour on as h:mm:ss."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
