"""A card whose application fails three times in a row serves its recordings all the same, and comes back once it is mended."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from interpreters import ROOT
from voicecard.device.client import CardLink
from voicecard.device.emulate import EmulateOptions, emulate, running_card
from voicecard.device.partitions import partitions
from voicecard.errors import DeviceError, LinkLostError
from voicecard.library.archive import Library
from voicecard.sync import sync

SMALL = 4 << 20
PLUG = "boot; wait 30s; plug"  # three failed starts take 24 s


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A copy of the firmware whose application raises as soon as it starts, unless the card has settings of its own."""
    folder = shutil.copytree(ROOT / "firmware", tmp_path / "firmware", ignore=shutil.ignore_patterns("emulator"))
    with (folder / "card" / "app.py").open("a") as file:
        file.write("\n\nopen('/settings.json').close()\n")
    return folder


@pytest.fixture
def flash(tmp_path: Path, conversation: Path) -> Path:
    """A card with a finished recording and one that a power cut left open."""
    path = tmp_path / "card.img"
    script = "boot; tap rec; wait 4s; tap rec; wait 1s; tap rec; wait 5s; cut"
    emulate(EmulateOptions(mic=conversation, flash=path, flash_size_bytes=SMALL, script=script))
    return path


def test_three_failed_starts_lead_to_safe_mode_which_gives_the_recordings_and_a_restart_leads_back(
    tmp_path: Path, flash: Path, broken: Path
) -> None:
    options = EmulateOptions(flash=flash, firmware=broken, script=PLUG)
    with Library(tmp_path / "library") as library:
        with running_card(options) as card:
            with CardLink.open(str(card.port(60))) as link:
                status, listed = link.status(), link.recordings()
                finished, cut = listed
                counters, settings, log = link.counters(), link.settings(), link.log()
                image = b"".join(link.image(0, link.image_sectors()))
                report = sync(link, library)
                assert link.recordings()[0].safe
            reasons = [cycle.reason for cycle in card.report().cycles]
        assert reasons == ["watchdog"] * 3 + ["end"]
        assert status["state"] == "safe mode" and status["recordings"] == 2 and settings and isinstance(log, list)
        assert finished.ended and not cut.ended and cut.sectors > 3, "recovery is the application's"
        assert counters["boots"]["watchdog"] == 1 and counters["failed_starts"] == 1
        assert [entry.end_reason for entry in report.new] == ["key"] and report.open == 1
        recordings = partitions(flash)["recordings"]
        assert len(image) == recordings.size

        mended = replace(options, firmware=None)
        with running_card(mended) as card, CardLink.open(str(card.port(60))) as link:
            assert link.status()["state"] == "idle"
            assert [entry.end_reason for entry in sync(link, library).new] == ["power lost"]
            assert link.counters()["failed_starts"] == 3


def test_each_power_on_tries_the_application_once_more(flash: Path, broken: Path) -> None:
    options = EmulateOptions(flash=flash, firmware=broken, script=PLUG)
    for failures in (3, 1):
        with running_card(options) as card:
            with CardLink.open(str(card.port(60))) as link:
                assert link.status()["state"] == "safe mode"
            assert [cycle.reason for cycle in card.report().cycles] == ["watchdog"] * failures + ["end"]


def test_a_restart_leaves_safe_mode(flash: Path, broken: Path) -> None:
    with running_card(EmulateOptions(flash=flash, firmware=broken, script=PLUG)) as card:
        with CardLink.open(str(card.port(60))) as link:
            link.set({"pre_roll_ms": 0})
            link.restart()
            with pytest.raises(LinkLostError):
                link.status()
        with CardLink.open(str(card.port(60))) as link:
            assert link.status()["state"] == "idle" and link.settings()["pre_roll_ms"]["value"] == 0
            assert link.counters()["failed_starts"] == 3 and link.counters()["boots"]["reset"] == 1
        assert [cycle.reason for cycle in card.report().cycles] == ["watchdog"] * 3 + ["reset", "end"]


def test_recording_at_once_after_power_on_never_counts_as_a_failed_start(tmp_path: Path, conversation: Path) -> None:
    script = "boot; tap rec; wait 500ms; cut;" * 4 + "boot; plug"
    options = EmulateOptions(mic=conversation, flash_size_bytes=SMALL, script=script)
    with running_card(options) as card, CardLink.open(str(card.port(60))) as link:
        assert link.status()["state"] == "idle" and link.status()["recordings"] == 4
        assert link.counters()["failed_starts"] == 0 and link.counters()["boots"]["power"] == 5


def test_safe_mode_serves_a_card_whose_flash_makes_no_sense(tmp_path: Path, flash: Path, broken: Path) -> None:
    recordings = partitions(flash)["recordings"]
    with flash.open("r+b") as file:
        file.seek(recordings.offset)
        file.write(bytes(recordings.size))
    with running_card(EmulateOptions(flash=flash, firmware=broken, script=PLUG)) as card:
        with CardLink.open(str(card.port(60))) as link:
            assert link.status()["state"] == "safe mode" and link.hello.card == ""
            assert b"".join(link.image(0, link.image_sectors())) == bytes(recordings.size)
            link.format()
        assert card.report().cycles[-1].reason == "end"


def test_a_file_system_that_cannot_be_mounted_is_left_as_it_is_and_told(tmp_path: Path, conversation: Path) -> None:
    flash = tmp_path / "card.img"
    ruin = tmp_path / "firmware"
    shutil.copytree(ROOT / "firmware", ruin, ignore=shutil.ignore_patterns("emulator"))
    (ruin / "main.py").write_text(
        'import esp32\n(vfs,) = esp32.Partition.find(1, label="vfs")\n'
        "for sector in range(8):\n    vfs.writeblocks(sector, bytes(4096))\n"
    )
    options = EmulateOptions(
        flash=flash, flash_size_bytes=SMALL, firmware=ruin, script="boot; wait 1s; cut; boot; wait 1s"
    )
    with pytest.raises(DeviceError, match=r"cannot be mounted.*recordings are untouched.*voicecard rescue") as caught:
        emulate(options)
    assert "\n" not in str(caught.value)
    vfs = partitions(flash)["vfs"]
    assert flash.read_bytes()[vfs.offset : vfs.offset + 8 * 4096] == bytes(8 * 4096), "not formatted"
