"""A card that hangs or crashes starts again by itself, and the recording that ran is finished; nothing else makes the watchdog fire."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from interpreters import ROOT
from voicecard.device.client import CardLink
from voicecard.device.emulate import EmulateOptions, emulate, running_card
from voicecard.library.archive import Library
from voicecard.sync import sync

SMALL = 4 << 20
WATCHDOG_US = 8_000_000


@pytest.fixture
def firmware(tmp_path: Path) -> Path:
    """A copy of the card's firmware, to be broken."""
    return shutil.copytree(ROOT / "firmware", tmp_path / "firmware", ignore=shutil.ignore_patterns("emulator"))


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))


def test_a_microphone_that_hangs_becomes_a_restart_and_a_finished_recording(tmp_path: Path, conversation: Path) -> None:
    script = "boot; tap rec; wait 10s; hang mic; wait 12s; tap rec; wait 5s; tap rec; wait 1s; plug"
    options = EmulateOptions(mic=conversation, flash_size_bytes=SMALL, script=script, seed=1, battery_millivolts=3712)
    with Library(tmp_path) as library, running_card(options) as card:
        with CardLink.open(str(card.port())) as link:
            hung, after = sync(link, library).new
            counters = link.counters()
        first, second = card.report().cycles
    assert (first.reason, second.reason) == ("watchdog", "end")
    assert 10_000_000 < first.time_us - WATCHDOG_US < 12_500_000, "restarted eight seconds after the last sound"
    assert hung.end_reason == "power lost" and hung.length_s == pytest.approx(10, abs=1)
    assert after.end_reason == "key" and after.length_s == pytest.approx(5, abs=0.2)
    assert counters["boots"] == {"power": 1, "reset": 0, "watchdog": 1, "sleep": 0, "soft": 0}
    assert counters["cut_recordings"] == 1 and counters["failed_starts"] == 0
    assert counters["lowest_battery_mv"] == 3700


def test_an_application_that_crashes_while_it_records_becomes_the_same(
    tmp_path: Path, firmware: Path, conversation: Path
) -> None:
    change(
        firmware / "card" / "screen.py",
        "    if card.farewell:",
        "    card.session and card.session.marks and 1 / 0\n    if card.farewell:",
    )
    script = "boot; tap rec; wait 10s; tap memo; wait 20s; plug"
    options = EmulateOptions(mic=conversation, flash_size_bytes=SMALL, script=script, firmware=firmware)
    with Library(tmp_path / "library") as library, running_card(options) as card:
        with CardLink.open(str(card.port())) as link:
            (entry,) = sync(link, library).new
        report = card.report()
    assert [cycle.reason for cycle in report.cycles] == ["watchdog", "end"] and "ZeroDivisionError" in report.console
    assert entry.end_reason == "power lost" and entry.length_s == pytest.approx(10, abs=1)


def test_a_recording_of_which_nothing_more_arrives_can_still_be_ended_by_its_key(conversation: Path) -> None:
    script = "boot; tap rec; wait 5s; hang mic; wait 4s; tap rec; wait 20s"
    report = emulate(EmulateOptions(mic=conversation, flash_size_bytes=SMALL, script=script))
    assert [cycle.reason for cycle in report.cycles] == ["end"]


def test_it_does_not_fire_while_the_card_works_with_flash_at_its_worst(tmp_path: Path, conversation: Path) -> None:
    """Recording, closing what was cut, proving, removing and formatting, each erase 400 ms long."""
    recorded = "boot; tap rec; wait 40s; tap rec; wait 5s; tap rec; wait 5s; cut"
    script = f"{recorded}; boot; plug; wait 120s; unplug; plug; wait 600s; unplug; plug"
    options = EmulateOptions(mic=conversation, flash_size_bytes=SMALL, script=script, worst_case_flash=True)
    with Library(tmp_path / "library") as library, running_card(options) as card:
        with CardLink.open(str(card.port(60))) as link:
            link.set({"remove": "at once"})
            assert len(sync(link, library).new) == 2
        with CardLink.open(str(card.port(60))) as link:
            assert link.recordings() == [] and link.counters()["erases"] > 20
            old, sectors = link.hello.card, link.format()
        with CardLink.open(str(card.port(60))) as link:
            assert link.hello.card != old and link.status()["clean"] == sectors
        assert [cycle.reason for cycle in card.report().cycles] == ["cut", "end"]
