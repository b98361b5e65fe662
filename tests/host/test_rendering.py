"""What was said reads the same in Markdown, SubRip and WebVTT, as parsers that others wrote see it."""

from __future__ import annotations

from html import unescape
from pathlib import Path

import webvtt
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from voicecard.library.rendering import markdown, passages
from voicecard.subtitles import srt, vtt
from voicecard.transcript import Segment, Transcript

NAMES = {"S1": "Anna", "S2": "Bo & <Co>"}
TRANSCRIPT = Transcript(
    "energy",
    "none",
    "en",
    (
        Segment(12.25, 13.5, "good morning"),
        Segment(3725.0, 3726.0, "good\nbye", speaker="S1"),
        Segment(3726.0, 3726.0, "1 < 2 & *so* [on] --> #end", speaker="S2"),
        Segment(3800.0, 3801.0, "what?", speaker="S3"),
        Segment(3810.0, 3811.0, " \n"),
    ),
)


def cues(path: Path, text: str) -> list[tuple[str, str, str | None, str]]:
    """(start, end, voice, text) as webvtt-py reads the file; entities are the player's business."""
    path.write_text(text, encoding="utf-8")
    if path.suffix == ".srt":
        return [(cue.start, cue.end, None, cue.raw_text) for cue in webvtt.from_srt(str(path))]
    return [
        (cue.start, cue.end, cue.voice and unescape(cue.voice), unescape(cue.text)) for cue in webvtt.read(str(path))
    ]


def test_markdown_shows_time_and_name_of_each_segment_that_says_something() -> None:
    lines = markdown(TRANSCRIPT, NAMES).splitlines()
    assert lines[0] == "Transcribed by energy, model none."
    assert lines[2] == "**[0:12]** good morning"
    assert lines[4] == "**[1:02:05]** Anna: good bye"
    assert lines[8] == "**[1:03:20]** S3: what?"
    assert "No speech" in markdown(Transcript("energy", "none", "en"), {})


def test_subtitles_are_what_players_take(tmp_path: Path) -> None:
    assert cues(tmp_path / "a.srt", srt(passages(TRANSCRIPT, NAMES))) == [
        ("00:00:12.250", "00:00:13.500", None, "good morning"),
        ("01:02:05.000", "01:02:06.000", None, "Anna: good bye"),
        ("01:02:06.000", "01:02:06.001", None, "Bo & <Co>: 1 < 2 & *so* [on] → #end"),
        ("01:03:20.000", "01:03:21.000", None, "S3: what?"),
    ]
    assert cues(tmp_path / "a.vtt", vtt(passages(TRANSCRIPT, NAMES))) == [
        ("00:00:12.250", "00:00:13.500", None, "good morning"),
        ("01:02:05.000", "01:02:06.000", "Anna", "good bye"),
        ("01:02:06.000", "01:02:06.001", "Bo & <Co>", "1 < 2 & *so* [on] --> #end"),
        ("01:03:20.000", "01:03:21.000", "S3", "what?"),
    ]
    assert srt(passages(TRANSCRIPT, {})).startswith("1\n00:00:12,250 --> 00:00:13,500\ngood morning\n\n2\n")


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
@settings(max_examples=300, deadline=None)
def test_whatever_is_said_is_text_and_not_markup(said: str) -> None:
    line = " ".join(said.split())
    text = markdown(Transcript("b", "m", "en", (Segment(0, 1, said),)), {})
    (_, *inlines) = [token for token in MarkdownIt().parse(text) if token.type == "inline"]
    shown = "".join(child.content for inline in inlines for child in inline.children or ())
    expected = f"[0:00] {line}" if line else ""
    assert shown == expected.replace("\0", "\ufffd")
