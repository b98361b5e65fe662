"""A transcript as people read it: with names in place of labels, and as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from voicecard.summary import Summary
from voicecard.transcript import Segment, Transcript, clock

Names = Mapping[str, str]

_MARKDOWN = re.compile(r"([\\`*_\[\]<#]|&(?=#?\w+;))")


def named(label: str | None, names: Names) -> str | None:
    """The name of a speaker, the label where nobody has given one."""
    return None if label is None else names.get(label, label)


def markdown(transcript: Transcript, names: Names) -> str:
    """A line about how it was made, then a paragraph a segment, with its time."""
    paragraphs = [f"Transcribed by {_escaped(transcript.backend)}, model {_escaped(transcript.model)}."]
    paragraphs += [
        f"**[{clock(segment.start_s)}]** {_introduced(segment.speaker)}{_escaped(segment.text)}"
        for segment in passages(transcript, names)
    ]
    if not transcript.segments:
        paragraphs.append("*No speech was recognised.*")
    return "\n\n".join(paragraphs)


def quoted(summary: Summary) -> str:
    """A summary as a block quotation, so that nothing in it is taken for a part of the page."""
    writer = f" by {_escaped(summary.model)} at {_escaped(summary.server)}" if summary.server else ""
    lines = [f"**Summary**{writer}", "", *summary.text.replace("<", "&lt;").splitlines()]
    return "\n".join(f"> {line}".rstrip() for line in lines)


def renamed(text: str, label: str, before: Names, after: Names) -> str:
    """Markdown that a person has changed, with a speaker's new name where a paragraph still begins as it was made."""
    old, new = _introduced(named(label, before)), _introduced(named(label, after))
    return re.sub(rf"(?m)^(\*\*\[[0-9:]+\]\*\* ){re.escape(old)}", lambda found: found[1] + new, text)


def passages(transcript: Transcript, names: Names) -> Iterator[Segment]:
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
