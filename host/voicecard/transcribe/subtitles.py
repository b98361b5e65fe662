"""Segments as subtitles: SubRip (srt) and WebVTT (https://www.w3.org/TR/webvtt1/)."""

from __future__ import annotations

from collections.abc import Iterable

from voicecard.transcribe.model import Segment


def srt(segments: Iterable[Segment]) -> str:
    """Numbered cues, hours always, a comma before the milliseconds."""
    cues = (f"{number}\n{_times(segment, ',')}\n{_text(segment)}\n" for number, segment in enumerate(segments, 1))
    return "\n".join(cues)


def vtt(segments: Iterable[Segment]) -> str:
    """Cues without names; what HTML means by `&` and `<` is escaped."""
    cues = (
        f"{_times(segment, '.')}\n{_text(segment).replace('&', '&amp;').replace('<', '&lt;')}\n" for segment in segments
    )
    return "\n".join(["WEBVTT\n", *cues])


def _times(segment: Segment, point: str) -> str:
    return f"{_time(segment.start_s, point)} --> {_time(segment.end_s, point)}"


def _time(seconds: float, point: str) -> str:
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}{point}{milliseconds:03}"


def _text(segment: Segment) -> str:
    """In one line, since an empty one ends a cue, and without the arrow that begins one."""
    text = " ".join(segment.text.split()).replace("-->", "->")
    return f"{segment.speaker}: {text}" if segment.speaker else text
