"""Honest clocks: a recording made before its card knew the time is placed by what is known, or between what is known."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from vcr import CardFile, tone

from voicecard.library.archive import Library
from voicecard.library.clocks import Reading
from voicecard.library.entry import Entry

MONDAY = datetime(2026, 11, 16, 9, tzinfo=UTC)
CARD = "k3f92b"


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path) as library:
        yield library


def ms(time: datetime) -> int:
    return round(time.timestamp() * 1000)


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def take_in(library: Library, number: int, boot: int, since_boot: timedelta, started: datetime | None = None) -> None:
    """A recording of 0.6 s, begun so long after its card's start; `started` if the card knew the time."""
    ticks_us = since_boot // timedelta(microseconds=1)
    file = CardFile(number=number, boot=boot, ticks_us=ticks_us, wall_ms=ms(started) if started else 0)
    file.audio(tone(0.6)).end()
    with library.begin(CARD, number, file.nonce.hex()) as incoming:
        for raw in file.sectors:
            incoming.append(bytes(raw))
        incoming.finish()


def visit(library: Library, boot: int, since_boot: timedelta, time: datetime) -> None:
    """The card is plugged in, so long after its start."""
    library.note_clock(CARD, boot, Reading(since_boot // timedelta(microseconds=1), ms(time), 3))


def recording(library: Library, number: int) -> Entry:
    return library.entry(f"{CARD}-{number}")


def test_any_visit_of_its_start_places_a_recording_also_years_later(library: Library) -> None:
    visit(library, 3, minutes(60), MONDAY)
    visit(library, 9, minutes(1), MONDAY + timedelta(days=700))
    take_in(library, 5, 3, minutes(20))
    entry = recording(library, 5)
    assert entry.started == MONDAY - minutes(40)
    assert entry.started_how == "card ticks, placed at sync"
    assert entry.folder.name.startswith(f"{entry.started.astimezone():%Y-%m-%d %H.%M}")
    # 100 ppm of 40 minutes, beside what the visit itself is unsure of.
    assert entry.uncertainty_ms == 3 + 240 + 1


def test_of_several_visits_the_surest_counts(library: Library) -> None:
    for since in (10, 50, 600):
        visit(library, 3, minutes(since), MONDAY + minutes(since))
    take_in(library, 5, 3, minutes(590))
    entry = recording(library, 5)
    assert entry.started == MONDAY + minutes(590) and entry.uncertainty_ms == 3 + 60 + 1


def test_a_later_recording_of_the_same_start_that_knew_the_time_places_an_earlier_one(library: Library) -> None:
    take_in(library, 5, 3, minutes(20))
    take_in(library, 6, 3, minutes(30), MONDAY)
    folder = recording(library, 5).folder
    assert folder.name == "undated k3f92b-5"
    library.place_in_time(CARD)
    entry = recording(library, 5)
    assert entry.started == MONDAY - minutes(10)
    assert not folder.exists() and entry.original.exists() and entry.details()["not_after"] is None
    assert [listed.number for listed in library.entries()] == [5, 6]


def test_what_stays_unknown_is_marked_with_what_came_before_and_after_and_ordered(library: Library) -> None:
    take_in(library, 4, 2, minutes(1), MONDAY)
    for number, since in ((5, 10), (6, 20)):
        take_in(library, number, 3, minutes(since))
    take_in(library, 7, 4, minutes(5))
    take_in(library, 8, 5, minutes(1), MONDAY + minutes(100))
    library.place_in_time(CARD)
    assert [entry.number for entry in library.entries()] == [4, 5, 6, 7, 8]
    for number in (5, 6, 7):
        entry = recording(library, number)
        assert entry.started is None and entry.started_how == "unknown"
        assert entry.not_before is not None and entry.not_after == MONDAY + minutes(100)
        assert timedelta(0) <= entry.not_before - MONDAY <= timedelta(seconds=1), "the end of the one before"
        assert entry.details()["not_before"] == entry.not_before.isoformat()
        assert entry.details()["started"] is None


def test_visits_of_other_starts_are_bounds_and_the_arrival_is_the_last(library: Library) -> None:
    visit(library, 2, minutes(1), MONDAY)
    take_in(library, 5, 3, minutes(10))
    arrived = datetime.now(UTC)
    library.place_in_time(CARD)
    entry = recording(library, 5)
    assert entry.not_before == MONDAY
    assert entry.not_after is not None and abs(entry.not_after - arrived) < timedelta(seconds=5)
    visit(library, 4, minutes(1), MONDAY + minutes(30))
    library.place_in_time(CARD)
    assert recording(library, 5).not_after == MONDAY + minutes(30)


def test_clocks_that_contradict_each_other_leave_one_bound(library: Library) -> None:
    visit(library, 2, minutes(1), MONDAY + timedelta(days=365))
    visit(library, 4, minutes(1), MONDAY)
    take_in(library, 5, 3, minutes(10))
    library.place_in_time(CARD)
    entry = recording(library, 5)
    assert (entry.not_before, entry.not_after) == (None, MONDAY)


def test_placing_never_changes_the_cards_file_and_survives_the_index(library: Library) -> None:
    take_in(library, 5, 3, minutes(20))
    before = recording(library, 5).original.read_bytes()
    library.place_in_time(CARD)
    take_in(library, 6, 3, minutes(30), MONDAY)
    library.place_in_time(CARD)
    library.rebuild()
    entry = recording(library, 5)
    assert entry.started == MONDAY - minutes(10)
    assert entry.original.read_bytes() == before and library.is_intact(entry)


def test_details_that_were_damaged_meanwhile_are_made_again(library: Library) -> None:
    take_in(library, 5, 3, minutes(20))
    (recording(library, 5).folder / "recording.json").write_text("{")
    visit(library, 3, minutes(60), MONDAY)
    library.place_in_time(CARD)
    assert recording(library, 5).started == MONDAY - minutes(40)
    assert recording(library, 5).details()["length_s"] == 0.6


@pytest.mark.parametrize("ticks_us", [1 << 62, 1 << 80])
def test_ticks_that_no_card_can_have_tell_nothing(library: Library, ticks_us: int) -> None:
    library.note_clock(CARD, 3, Reading(ticks_us, ms(MONDAY), 3))
    take_in(library, 1, 3, minutes(1))
    assert recording(library, 1).started is None


def test_other_cards_tell_nothing(library: Library) -> None:
    library.note_clock("other", 3, Reading(0, ms(MONDAY), 3))
    take_in(library, 5, 3, minutes(20))
    assert recording(library, 5).started is None


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"[]", b"\xff\xfe", b'{"cards": 3}', b'{"cards": {"k3f92b": {"x": []}}}'),
        *(b'{"cards": {"k3f92b": {"3": [[1, 2]]}}}', b'{"cards": {"k3f92b": {"3": [[0, 1e300, 0]]}}}'),
    ],
)
def test_a_damaged_file_of_clocks_counts_as_none_and_is_written_anew(library: Library, content: bytes) -> None:
    (library.path / "clocks.json").write_bytes(content)
    take_in(library, 5, 3, minutes(20))
    assert recording(library, 5).started is None
    visit(library, 3, minutes(60), MONDAY)
    library.place_in_time(CARD)
    assert recording(library, 5).started == MONDAY - minutes(40)


def test_a_folder_that_its_owner_named_keeps_its_name(library: Library) -> None:
    take_in(library, 5, 3, minutes(20))
    folder = recording(library, 5).folder
    named = folder.parent.parent / "visits" / "at Miller's"
    named.parent.mkdir()
    folder.rename(named)
    with Library(library.path) as again:
        visit(again, 3, minutes(60), MONDAY)
        again.place_in_time(CARD)
        assert recording(again, 5).started == MONDAY - minutes(40)
        assert recording(again, 5).folder == named
