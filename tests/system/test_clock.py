"""Honest clocks, with the card itself: what it recorded before it knew the time is placed by its ticks, or between visits."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from voicecard.device import client
from voicecard.device.client import CardLink
from voicecard.device.emulate import EmulateOptions, running_card
from voicecard.library.archive import Library
from voicecard.sync import remember_clock, sync

Run = Callable[..., subprocess.CompletedProcess[str]]
SMALL = 4 << 20
RECORD = "tap rec; wait 2s; tap rec; wait 1s; "


def card_on(flash: Path, mic: Path, script: str) -> EmulateOptions:
    return EmulateOptions(mic=mic, flash=flash, flash_size_bytes=SMALL, script=script, card_name="k3f92b")


@pytest.fixture
def pass_days(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let the host's clock go so many days behind: what follows happens in the past."""
    return lambda days: monkeypatch.setattr(
        client, "time", SimpleNamespace(time=lambda: time.time() - days * 24 * 3600, monotonic=time.monotonic)
    )


def test_several_starts_with_and_without_a_host(
    tmp_path: Path, conversation: Path, pass_days: Callable[[int], None]
) -> None:
    flash = tmp_path / "card.img"
    with Library(tmp_path / "library") as library:
        # First start: a recording, a host that only looks, and another recording, which knows the time by that.
        pass_days(2)
        with running_card(card_on(flash, conversation, f"boot; {RECORD}plug; {RECORD}")) as card:
            with CardLink.open(str(card.port())) as link:
                remember_clock(link, library)
                first_visit = link.hello.heard_at
                link.set_clock()
            card.report()
        # Second start: no host at all.
        with running_card(card_on(flash, conversation, f"boot; {RECORD}{RECORD}")) as card:
            card.report()
        # Third start: a recording, then everything is brought in.
        pass_days(0)
        with (
            running_card(card_on(flash, conversation, f"boot; {RECORD}plug")) as card,
            CardLink.open(str(card.port())) as link,
        ):
            sync(link, library)
            last_visit = link.hello.heard_at
        before, after, lonely, lonelier, last = library.entries()

    assert [e.number for e in (before, after, lonely, lonelier, last)] == [1, 2, 3, 4, 5]
    assert before.started_how == last.started_how == "card ticks, placed at sync"
    assert after.started_how == "card clock"
    assert before.started is not None and after.started is not None and last.started is not None
    assert 2 < first_visit - before.started.timestamp() < 6
    assert 0 < after.started.timestamp() - first_visit < 6
    assert 2 < last_visit - last.started.timestamp() < 6
    for entry in (lonely, lonelier):
        assert entry.started is None and entry.not_before is not None and entry.not_after is not None
        assert abs(entry.not_before - after.started - timedelta(seconds=after.length_s)) <= timedelta(seconds=1)
        assert abs(entry.not_after - last.started) <= timedelta(seconds=1)
    assert first_visit < lonely.not_before.timestamp() and lonely.not_after - lonely.not_before > timedelta(days=1)


def test_what_nobody_saw_lies_between_the_last_sync_and_this_one(
    tmp_path: Path, conversation: Path, pass_days: Callable[[int], None], voicecard: Run
) -> None:
    flash = tmp_path / "card.img"
    with Library(tmp_path / "library") as library:
        synced = []
        for days, script in ((3, "boot; plug"), (2, f"boot; {RECORD}"), (1, "boot; plug")):
            pass_days(days)
            with running_card(card_on(flash, conversation, script)) as card:
                if "plug" in script:
                    with CardLink.open(str(card.port())) as link:
                        sync(link, library)
                        synced.append(datetime.fromtimestamp(link.hello.heard_at, UTC))
                card.report()
        (entry,) = library.entries()
    assert entry.not_before is not None and entry.not_after is not None
    assert abs(entry.not_before - synced[0]) < timedelta(seconds=1)
    assert abs(entry.not_after - synced[1]) < timedelta(seconds=1)
    between = f"between {entry.not_before:%Y-%m-%d %H:%M} and {entry.not_after:%Y-%m-%d %H:%M}"
    assert between in voicecard("ls").stdout
    assert f"time unknown, {between}" in voicecard("show", "latest").stdout
    (listed,) = json.loads(voicecard("ls", "--json").stdout)
    assert listed["started"] is None and listed["not_before"] == entry.not_before.isoformat()


def test_any_command_that_meets_the_card_lets_the_library_place_what_was_recorded_before(
    tmp_path: Path, conversation: Path, voicecard: Run
) -> None:
    flash = tmp_path / "card.img"
    assert voicecard("ls").returncode == 0, "there is a library now"
    with running_card(card_on(flash, conversation, f"boot; {RECORD}plug")) as card:
        asked_at = time.time()
        assert voicecard("status", "--port", card.port()).returncode == 0
        card.report()
    with running_card(card_on(flash, conversation, "boot; plug")) as card:
        assert voicecard("sync", "--port", card.port(), "--no-transcribe").returncode == 0
    (listed,) = json.loads(voicecard("ls", "--json").stdout)
    assert listed["started_how"] == "card ticks, placed at sync"
    assert 2 < asked_at - datetime.fromisoformat(listed["started"]).timestamp() < 8


def test_a_clock_set_while_it_records_is_written_down_and_the_next_recording_knows_where_it_was(
    tmp_path: Path, conversation: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Kathmandu")  # 5 h 45 min east
    time.tzset()
    script = "boot; tap rec; wait 4s; plug; wait 3s; tap rec; wait 1s; tap rec; wait 3s; tap rec; unplug; plug"
    options = EmulateOptions(mic=conversation, flash_size_bytes=4 << 20, script=script)
    try:
        with Library(tmp_path) as library, running_card(options) as card:
            with CardLink.open(str(card.port())) as link:
                link.set_clock()
                set_at = datetime.now().astimezone()
            with CardLink.open(str(card.port())) as link:
                monkeypatch.setenv("TZ", "UTC")
                time.tzset()
                first, second = sync(link, library).new
            (event,) = [e for e in first.recording().events if e.event == "clock set"]
            assert first.started_how == "card clock" and first.started is not None and second.started is not None
            assert 4 < event.at_samples / 16_000 < 6 and abs((set_at - first.started).total_seconds() - 4) < 2
            assert second.started_how == "card clock"
            assert second.started.utcoffset() == timedelta(hours=5, minutes=45)
            assert first.started.utcoffset() == timedelta(0), "it began before any host had told"
    finally:
        monkeypatch.undo()
        time.tzset()
