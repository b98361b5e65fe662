"""Search finds what was said, by whom and when, in whatever words; edits by hand count; a new index gives the same answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from vcr import conversation

from voicecard.library import search as searching
from voicecard.library.archive import Library
from voicecard.library.entry import Entry
from voicecard.library.search import Hit, Wanted
from voicecard.transcript import Segment, Transcript

MONDAY = datetime(2026, 9, 28, 9, 0, tzinfo=UTC)
SAID = {
    1: (Segment(0.5, 1.0, "The quarterly report is late", "S1"), Segment(1.0, 2.0, "Reports are always late", "S2")),
    2: (Segment(0.1, 0.6, "Ship it on Monday", "S1"), Segment(0.6, 1.9, "Die Übergabe ist am Montag", "S2")),
    3: (Segment(0.0, 1.5, "我们讨论季度报告"), Segment(1.5, 2.0, "a report, quarterly")),
}


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    """Three recordings, a week apart."""
    with Library(tmp_path / "library") as library:
        for number, segments in SAID.items():
            card = conversation(number=number, nonce=bytes([number]) * 8)
            with library.begin(card.card, card.number, card.nonce.hex()) as incoming:
                for raw in card.sectors:
                    incoming.append(bytes(raw))
                entry = incoming.finish(MONDAY + timedelta(weeks=number - 1), "host clock", 40)
            library.save_transcript(entry, Transcript("x", "y", "en", segments))
        yield library


def found(library: Library, query: str, **more: object) -> set[str]:
    return {hit.text for hit in library.search(Wanted(query, **more))}  # type: ignore[arg-type]


def test_words_phrases_beginnings_and_operators(library: Library) -> None:
    late, always, ship = SAID[1][0].text, SAID[1][1].text, SAID[2][0].text
    assert found(library, "late quarterly") == {late}
    assert found(library, '"quarterly report"') == {late}
    assert found(library, "report*") == {late, always, "a report, quarterly"}
    assert found(library, "late NOT always OR ship") == {late, ship}
    assert found(library, "(ship OR late) AND monday") == {ship}
    assert found(library, "ubergabe") == {"Die Übergabe ist am Montag"}
    assert found(library, "季度报告") == {"我们讨论季度报告"}
    assert found(library, "S1") == set(), "a speaker's name is no word that was said"


def test_a_hit_says_who_when_and_what(library: Library) -> None:
    library.name_speaker(library.entry("k3f92b-2"), "S2", "Bert")
    (hit,) = library.search(Wanted("MONTAG ist"))
    assert (hit.entry.id, hit.start_s, hit.end_s, hit.speaker) == ("k3f92b-2", 0.6, 1.9, "Bert")
    assert hit.when == MONDAY + timedelta(weeks=1, seconds=0.6)
    assert [hit.text[start:end] for start, end in hit.found] == ["ist", "Montag"]


def test_filters(library: Library) -> None:
    first = library.entry("k3f92b-1")
    library.add_tags(first, ["#Work"])
    library.name_speaker(first, "S1", "Anna Lind")
    assert found(library, "late", speaker="anna") == {SAID[1][0].text}
    assert found(library, "late OR monday", tag="work") == {segment.text for segment in SAID[1]}
    assert found(library, "report", since=MONDAY + timedelta(days=1)) == {"a report, quarterly"}
    assert found(library, "report", before=MONDAY + timedelta(days=1)) == {SAID[1][0].text}


def test_title_and_tags_are_found_and_hand_made_changes_count(library: Library) -> None:
    page = library.entry("k3f92b-1").folder / "transcript.md"
    page.write_text(page.read_text().replace("title:", "title: Autumn budget").replace("tags: []", "tags: [q3]"))
    with Library(library.path) as again:
        (hit,) = again.search(Wanted("budget q3"))
        assert (hit.entry.title, hit.entry.tags, hit.start_s) == ("Autumn budget", ("q3",), None)


def test_a_new_transcript_takes_the_place_of_the_old_and_names_stay(library: Library) -> None:
    entry = library.name_speaker(library.entry("k3f92b-1"), "S1", "Anna")
    entry = library.set_title(library.add_tags(entry, ["work"]), "Budget")
    again = library.save_transcript(entry, Transcript("z", "y", "en", (Segment(0.5, 1.0, "All is done", "S1"),)))
    assert (again.title, again.tags, again.speakers()) == ("Budget", ("work",), {"S1": "Anna"})
    assert found(library, "late") == set()
    (hit,) = library.search(Wanted("done"))
    assert hit.speaker == "Anna"


def answers(library: Library) -> str:
    """All that can be asked, as it is printed."""
    hits = [
        hit for query in ("report*", "monday OR montag", "季度", "work") for hit in library.search(Wanted(query), 50)
    ]
    return json.dumps([[entry.summary() for entry in library.entries()], [shown(hit) for hit in hits]])


def shown(hit: Hit) -> list[object]:
    return [hit.entry.id, hit.start_s, hit.end_s, hit.speaker, hit.text, hit.found]


def test_a_new_index_gives_the_same_answers_to_the_byte(library: Library) -> None:
    library.add_tags(library.entry("k3f92b-3"), ["work"])
    library.save_transcript(library.entry("k3f92b-1"), Transcript("x", "y", "en", SAID[1]))
    before = answers(library)
    library.rebuild()
    assert answers(library) == before
    (library.path / "library.db").unlink()
    with Library(library.path) as again:
        assert answers(again) == before


def test_past_many_hits_the_newest_come_first(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "RANKED_HITS", 1)
    assert [hit.entry.number for hit in library.search(Wanted("report OR late OR ship"))] == [3, 2, 1, 1]
    assert len(library.search(Wanted("report OR late OR ship"), 2)) == 2


@given(st.text(st.characters(codec="utf-8"), max_size=40) | st.text('"()*: -+^ANDORT{}\\\0', max_size=40))
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_query_fails(library: Library, text: str) -> None:
    library.search(Wanted(text))
    library.search(Wanted("report", speaker=text, tag=text))


def test_what_was_thrown_away_is_found_no_more_and_taken_back_it_is(library: Library) -> None:
    entry: Entry = library.entry("k3f92b-1")
    before = answers(library)
    library.remove(entry)
    assert found(library, "quarterly report") == {"a report, quarterly"} and len(library.entries()) == 2
    assert library.take_back(entry.id) == entry
    assert answers(library) == before
