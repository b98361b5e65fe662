"""Looking after a card from the command line: its state, its settings, and the only way to erase it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from voicecard.device.client import CardLink
from voicecard.device.emulate import EmulateOptions, running_card
from voicecard.device.partitions import partitions

Run = Callable[..., subprocess.CompletedProcess[str]]
SMALL = 4 << 20
VISITS = 9  # of a host, one after the other


@pytest.fixture
def card(conversation: Path) -> Iterator[Callable[[], str]]:
    """A card with one recording; each call gives the port for a visit."""
    script = "boot; tap rec; wait 5s; tap rec; wait 1s" + "; plug; unplug" * VISITS
    with running_card(EmulateOptions(mic=conversation, script=script)) as running:
        yield lambda: str(running.port())


def refused(done: subprocess.CompletedProcess[str], exit_code: int) -> str:
    assert done.returncode == exit_code and "Traceback" not in done.stderr, done.stderr
    return done.stderr


def test_status_and_doctor(voicecard: Run, card: Callable[[], str]) -> None:
    told = json.loads(voicecard("status", "--port", card(), "--json").stdout)
    assert told["state"] == "idle" and told["recordings"] == 1 and told["set_aside"] == 0
    assert told["counters"]["boots"]["power"] == 1 and told["counters"]["lost_samples"] == 0
    shown = voicecard("status", "--port", card()).stdout
    assert "set aside" in shown and "1 by power" in shown
    findings = json.loads(voicecard("doctor", "--port", card(), "--json").stdout)["findings"]
    assert {
        "level": "act",
        "sentence": "recordings on the card that are in no library: 1 of 1; `voicecard sync`",
    } in findings
    assert voicecard("sync", "--port", card(), "--no-transcribe").returncode == 0
    well = voicecard("doctor", "--port", card()).stdout
    assert "ACT" not in well and "all 1 recordings on the card are in" in well and "no sample of sound" in well
    assert "has removed nothing" in voicecard("removed", "--port", card()).stderr


def test_settings_are_shown_changed_and_refused(voicecard: Run, card: Callable[[], str]) -> None:
    shown = voicecard("settings", "--port", card()).stdout
    assert "pre_roll_ms" in shown and "0 to 600" in shown and "when needed, at once" in shown
    assert voicecard("settings", "pre_roll_ms", "450", "--port", card()).stdout == "450\n"
    assert voicecard("settings", "pre_roll_ms", "--port", card()).stdout == "450\n"
    assert voicecard("settings", "vad_mode", "off", "--port", card()).stdout == "off\n"
    assert "give 0 to 600" in refused(voicecard("settings", "pre_roll_ms", "601", "--port", card()), 2)
    assert "give 0, 1, 2, 3, off" in refused(voicecard("settings", "vad_mode", "4", "--port", card()), 2)
    assert "no setting 'volume'" in refused(voicecard("settings", "volume", "--port", card()), 2)
    told = json.loads(voicecard("settings", "--port", card(), "--json").stdout)
    assert (told["pre_roll_ms"]["value"], told["vad_mode"]["value"]) == (450, "off")


def test_only_format_with_yes_erases(voicecard: Run, card: Callable[[], str]) -> None:
    before = json.loads(voicecard("status", "--port", card(), "--json").stdout)
    sentence = refused(voicecard("format", "--port", card()), 2)
    assert "1 there are, and 1 of them no library holds" in sentence and "--yes" in sentence
    assert json.loads(voicecard("status", "--port", card(), "--json").stdout)["recordings"] == 1
    done = voicecard("format", "--yes", "--port", card())
    assert done.returncode == 0, done.stderr
    after = json.loads(voicecard("status", "--port", card(), "--json").stdout)
    assert after["recordings"] == 0 and after["clean"] == after["sectors"]
    assert after["card"] != before["card"] and after["card"] in done.stderr


def test_a_storage_that_is_not_prepared_is_explained_rescued_and_prepared(
    voicecard: Run, tmp_path: Path, conversation: Path
) -> None:
    flash = tmp_path / "card.bin"
    with running_card(EmulateOptions(flash=flash, flash_size_bytes=SMALL, script="boot")) as fresh:
        fresh.report()
    recordings = partitions(flash)["recordings"]
    raw = bytearray(flash.read_bytes())
    raw[recordings.offset :] = b"foreign." * (recordings.size // 8)
    flash.write_bytes(raw)
    script = "boot" + "; plug; unplug" * 5
    with running_card(EmulateOptions(flash=flash, script=script)) as card:
        findings = json.loads(voicecard("doctor", "--port", card.port(), "--json").stdout)["findings"]
        assert findings[0]["level"] == "act" and "not prepared" in findings[0]["sentence"]
        told = json.loads(voicecard("rescue", "-o", tmp_path / "x.img", "--port", card.port(), "--json").stdout)
        assert told["new"] == [] and told["senseless_sectors"] == recordings.size // 4096
        assert "cannot be said" in refused(voicecard("format", "--port", card.port()), 2)
        assert voicecard("format", "--yes", "--port", card.port()).returncode == 0
        with CardLink.open(str(card.port())) as link:
            assert link.status()["state"] == "idle" and link.hello.card


def test_a_card_that_fails_to_start_is_explained_and_started_again(voicecard: Run) -> None:
    fails = "boot; cut; " * 3
    script = fails + "boot; plug; unplug; plug; wait 2s; unplug; plug; unplug"
    with running_card(EmulateOptions(flash_size_bytes=SMALL, script=script)) as card:
        told = json.loads(voicecard("doctor", "--port", card.port(), "--json").stdout)
        assert told["status"]["state"] == "safe mode"
        assert told["findings"][0]["level"] == "act" and "voicecard restart" in told["findings"][0]["sentence"]
        assert voicecard("restart", "--port", card.port()).returncode == 0
        card.port()  # the card starts again with the cable in, until the script takes it out
        told = json.loads(voicecard("status", "--port", card.port(), "--json").stdout)
        assert told["state"] == "idle" and told["counters"]["failed_starts"] == 3
