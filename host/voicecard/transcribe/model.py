"""What a transcription is: words in segments, with times in seconds on one time line; as JSON and as Markdown."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from voicecard.errors import TranscribeError

VERSION = 1


@dataclass(frozen=True, slots=True)
class Word:
    start_s: float
    end_s: float
    text: str


@dataclass(frozen=True, slots=True)
class Segment:
    """Something said in one go. `speaker` is a name or label, None if the backend does not tell speakers apart."""

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

    def to_json(self) -> dict[str, Any]:
        """The content of a transcript.json."""
        return {"version": VERSION, **asdict(self)}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Transcript:
        """Inverse of `to_json`; fields that this version does not know are ignored.

        Raises TranscribeError if the content is no transcript."""
        try:
            version = int(content["version"])
            if version > VERSION:
                raise TranscribeError("the transcript was written by a newer voicecard: update voicecard to read it")
            return cls(
                backend=str(content["backend"]),
                model=str(content["model"]),
                language=str(content["language"]),
                segments=tuple(_segment(part) for part in content["segments"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise TranscribeError(f"the transcript is damaged ({error!r}): transcribe the recording again") from error


def _segment(part: dict[str, Any]) -> Segment:
    speaker = part.get("speaker")
    return Segment(
        start_s=float(part["start_s"]),
        end_s=float(part["end_s"]),
        text=str(part["text"]),
        speaker=None if speaker is None else str(speaker),
        words=tuple(Word(float(w["start_s"]), float(w["end_s"]), str(w["text"])) for w in part.get("words", ())),
    )


def markdown(transcript: Transcript, title: str) -> str:
    """Return a page for people: one paragraph a segment, with its time."""
    lines = [f"# {title}", f"Transcribed by {transcript.backend}, model {transcript.model}."]
    lines += [f"**[{clock(s.start_s)}]** {_speaker(s)}{' '.join(s.text.split())}" for s in transcript.segments]
    if not transcript.segments:
        lines.append("*No speech was recognised.*")
    return "\n\n".join(lines) + "\n"


def _speaker(segment: Segment) -> str:
    return "" if segment.speaker is None else f"{segment.speaker}: "


def clock(seconds: float) -> str:
    """Return whole seconds as m:ss, from one hour on as h:mm:ss."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
