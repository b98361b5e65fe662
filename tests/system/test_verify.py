"""`voicecard verify`: the application on a card against the one that this program carries, file by file."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from firmware_copies import copied_firmware
from voicecard.device.boards import load_board
from voicecard.device.emulate import EmulateOptions, running_card
from voicecard.device.image import build_flash_image

Run = Callable[..., subprocess.CompletedProcess[str]]
MIB = 1024 * 1024
XTENSAWIN, X64 = 10, 2


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def verdict(voicecard: Run, options: EmulateOptions) -> tuple[int, dict[str, object]]:
    with running_card(options) as card:
        done = voicecard("verify", "--port", card.port(), "--json")
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.mark.parametrize("compiled", [False, True])
def test_a_card_with_this_programs_files_is_right(voicecard: Run, tmp_path: Path, compiled: bool) -> None:
    image = tmp_path / "card.img"
    build_flash_image(image, 4 * MIB, compiled=compiled)
    code, told = verdict(voicecard, EmulateOptions(flash=image))
    assert code == 0 and told["differences"] == [] and told["compiled"] is compiled and told["own_pins"] is False
    assert isinstance(told["files"], int) and told["files"] > 60
    assert isinstance(told["mpy"], int) and told["mpy"] & 0xFF == 6 and told["mpy"] >> 10 == X64


def test_whatever_differs_is_named_and_the_pin_map_may(voicecard: Run, tmp_path: Path) -> None:
    changed = copied_firmware(tmp_path / "firmware")
    (changed / "card" / "log.py").write_text((changed / "card" / "log.py").read_text() + "# mine\n")
    (changed / "card" / "mine.py").write_text("")
    (changed / "card" / "safe_mode.py").unlink()
    code, told = verdict(voicecard, EmulateOptions(firmware=changed, board="super_mini"))
    assert code == 1 and told["own_pins"] is True and load_board("super_mini").pins == load_board().pins
    assert told["differences"] == [
        {"path": "/card/log.py", "what": "changed"},
        {"path": "/card/mine.py", "what": "extra"},
        {"path": "/card/safe_mode.py", "what": "missing"},
    ]


def test_people_are_told_in_a_sentence(voicecard: Run) -> None:
    with running_card(EmulateOptions()) as card:
        done = voicecard("verify", "--port", card.port())
    assert done.returncode == 0 and done.stdout == "" and "files on the card are this program's" in done.stderr


def test_while_it_records_the_card_reads_no_files(voicecard: Run) -> None:
    with running_card(EmulateOptions(script="boot; wait 3s; tap rec; wait 2s; plug")) as card:
        done = voicecard("verify", "--port", card.port())
    assert done.returncode == 1 and "not while the card is recording" in done.stderr and "Traceback" not in done.stderr
