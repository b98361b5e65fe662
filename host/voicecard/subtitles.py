"""Segments as subtitles: SubRip (.srt) and WebVTT (.vtt).

WebVTT is that of https://www.w3.org/TR/webvtt1/; SubRip has no standard, and what is written is what all players take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from voicecard.transcript import Segment

_WEBVTT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def srt(segments: Iterable[Segment]) -> str:
    """Numbered cues, one a segment; the speaker stands before what is said."""
    cues = []
    for number, segment in enumerate(_said(segments), start=1):
        speaker = f"{segment.speaker}: " if segment.speaker else ""
        text = f"{speaker}{segment.text}".replace("-->", "\N{RIGHTWARDS ARROW}")
        cues.append(f"{number}\n{_span(segment, ',')}\n{text}\n")
    return "\n".join(cues)


def vtt(segments: Iterable[Segment]) -> str:
    """Cues, one a segment; the speaker is the voice that says it."""
    cues = ["WEBVTT\n"]
    for segment in _said(segments):
        voice = f"<v {segment.speaker.translate(_WEBVTT)}>" if segment.speaker else ""
        cues.append(f"{_span(segment, '.')}\n{voice}{segment.text.translate(_WEBVTT)}\n")
    return "\n".join(cues)


def _said(segments: Iterable[Segment]) -> Iterator[Segment]:
    """Those that say something, each text on one line: an empty one ends a cue."""
    for segment in segments:
        if text := " ".join(segment.text.split()):
            yield replace(segment, text=text, speaker=" ".join((segment.speaker or "").split()))


def _span(segment: Segment, point: str) -> str:
    """The time line of a cue, which players want to end after it starts."""
    start_ms = max(0, round(segment.start_s * 1000))
    end_ms = max(start_ms + 1, round(segment.end_s * 1000))
    return f"{_time(start_ms, point)} --> {_time(end_ms, point)}"


def _time(ms: int, point: str) -> str:
    minutes, rest_ms = divmod(ms, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest_ms // 1000:02}{point}{rest_ms % 1000:03}"
