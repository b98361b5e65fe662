"""A transcript as people and players read it: Markdown, SubRip (.srt) and WebVTT (.vtt), with names in place of labels.

WebVTT is that of https://www.w3.org/TR/webvtt1/; SubRip has no standard, and what is written is what all players take."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from voicecard.transcript import Segment, Transcript, clock

Names = Mapping[str, str]

_MARKDOWN = re.compile(r"([\\`*_\[\]<#]|&(?=#?\w+;))")
_WEBVTT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def named(label: str | None, names: Names) -> str | None:
    """The name of a speaker, the label where nobody has given one."""
    return None if label is None else names.get(label, label)


def markdown(transcript: Transcript, names: Names) -> str:
    """A line about how it was made, then a paragraph a segment, with its time."""
    paragraphs = [f"Transcribed by {_escaped(transcript.backend)}, model {_escaped(transcript.model)}."]
    paragraphs += [
        f"**[{clock(segment.start_s)}]** {_introduced(segment.speaker)}{_escaped(segment.text)}"
        for segment in _passages(transcript, names)
    ]
    if not transcript.segments:
        paragraphs.append("*No speech was recognised.*")
    return "\n\n".join(paragraphs)


def renamed(text: str, label: str, before: Names, after: Names) -> str:
    """Markdown that a person has changed, with a speaker's new name where a paragraph still begins as it was made."""
    old, new = _introduced(named(label, before)), _introduced(named(label, after))
    return re.sub(rf"(?m)^(\*\*\[[0-9:]+\]\*\* ){re.escape(old)}", lambda found: found[1] + new, text)


def srt(transcript: Transcript, names: Names) -> str:
    """Numbered cues, one a segment; the speaker stands before what is said."""
    cues = []
    for number, segment in enumerate(_passages(transcript, names), start=1):
        speaker = f"{segment.speaker}: " if segment.speaker else ""
        text = f"{speaker}{segment.text}".replace("-->", "\N{RIGHTWARDS ARROW}")
        cues.append(f"{number}\n{_span(segment, ',')}\n{text}\n")
    return "\n".join(cues)


def vtt(transcript: Transcript, names: Names) -> str:
    """Cues, one a segment; the speaker is the voice that says it."""
    cues = ["WEBVTT\n"]
    for segment in _passages(transcript, names):
        voice = f"<v {segment.speaker.translate(_WEBVTT)}>" if segment.speaker else ""
        cues.append(f"{_span(segment, '.')}\n{voice}{segment.text.translate(_WEBVTT)}\n")
    return "\n".join(cues)


def _passages(transcript: Transcript, names: Names) -> Iterator[Segment]:
    """The segments that say something, each text on one line, with the speakers' names."""
    for segment in transcript.segments:
        if text := _line(segment.text):
            yield replace(segment, text=text, speaker=_line(named(segment.speaker, names) or ""))


def _line(text: str) -> str:
    return " ".join(text.split())


def _introduced(speaker: str | None) -> str:
    return f"{_escaped(_line(speaker))}: " if speaker else ""


def _escaped(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", text)


def _span(segment: Segment, point: str) -> str:
    """The time line of a cue, which players want to end after it starts."""
    start_ms = max(0, round(segment.start_s * 1000))
    end_ms = max(start_ms + 1, round(segment.end_s * 1000))
    return f"{_time(start_ms, point)} --> {_time(end_ms, point)}"


def _time(ms: int, point: str) -> str:
    minutes, rest_ms = divmod(ms, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest_ms // 1000:02}{point}{rest_ms % 1000:03}"
