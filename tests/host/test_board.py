"""A pin map has one source, its board's file: the card's module, the emulated board and the rules of the chip agree with it."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from interpreters import ROOT
from voicecard.device.boards import Board, board_names, emulated_wiring, load_board, pins_module
from voicecard.device.emulate import EmulateOptions, emulate
from voicecard.device.pin_rules import broken_rules
from voicecard.errors import DeviceError

BATTERY, CABLE, REC = ("battery", "adc"), ("cable", "pin"), ("keys", "rec")


def constants(path: Path) -> dict[str, Any]:
    """A module's top-level constants."""
    found = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id.isupper():
            found[node.targets[0].id] = ast.literal_eval(node.value)
    return found


def test_the_cards_pin_map_is_made_of_the_default_boards_file() -> None:
    text = (ROOT / "firmware" / "card" / "pins.py").read_text(encoding="utf-8")
    assert text == pins_module(load_board()), "run `make docs`"


def test_the_emulated_board_is_wired_by_the_map() -> None:
    emulated = constants(ROOT / "firmware" / "emulator" / "board.py")
    for name, wired in emulated_wiring(load_board()).items():
        assert emulated[name] == (tuple(wired) if isinstance(wired, list) else wired), name


@pytest.mark.parametrize("name", board_names())
def test_every_board_keeps_the_rules_and_a_card_records_on_it(name: str) -> None:
    board = load_board(name)
    assert broken_rules(board) == []
    assert bool(board.limits) == (name != "devkitc")
    options = EmulateOptions(
        board=name,
        script="boot; tap rec; wait 3s; tap rec; wait 1s",
        flash_size_bytes=board.flash_mb << 20,
        log_signal=True,
    )
    report = emulate(options)
    assert report.cycles[0].flash["recordings"]["programs"] > 10 and report.cycles[0].samples_heard
    assert report.cycles[0].signals, "the LED is wired too"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({REC: 8}, "pin 8 is used twice: display.sda and keys.rec"),
        ({REC: 22}, "does not exist"),
        ({REC: 19}, "taken by USB"),
        ({REC: 28}, "taken by the flash"),
        ({REC: 35}, "taken by the octal PSRAM"),
        ({REC: 43}, "taken by the UART"),
        ({REC: 0}, "strapping"),
        ({REC: 38}, "pin 38 cannot wake the chip"),
        ({CABLE: 38}, "cable.pin: pin 38 cannot wake the chip"),
        ({BATTERY: 12}, "pin 12 is on ADC2"),
        ({BATTERY: 38}, "pin 38 has no converter"),
        ({REC: 33}, "not broken out on the ESP32-S3-DevKitC-1"),
    ],
)  # fmt: skip
def test_each_rule_is_told_when_it_is_broken(change: dict[tuple[str, str], int], says: str) -> None:
    board = load_board()
    assert any(says in said for said in broken_rules(replace(board, pins={**board.pins, **change})))


def test_a_divider_has_to_fit_the_converter() -> None:
    assert any(
        "beyond the converter's range" in said for said in broken_rules(replace(load_board(), battery_divider=1))
    )


def test_pins_33_to_37_are_free_without_octal_psram() -> None:
    board: Board = replace(load_board(), psram="quad", pins={**load_board().pins, ("signal", "pin"): 36})
    assert broken_rules(board) == []


def test_a_board_that_is_not_there_or_not_whole_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="choose one of devkitc, super_mini, xiao"):
        load_board("nano")
    own = tmp_path / "own.toml"
    text = (ROOT / "hardware" / "board.toml").read_text(encoding="utf-8")
    for broken in (
        text.replace("sck = 5", ""),
        text.replace("sck = 5", 'sck = "5"'),
        text.replace('"octal"', '"lots"'),
    ):
        own.write_text(broken, encoding="utf-8")
        with pytest.raises(DeviceError, match="not complete"):
            load_board(str(own))
    own.write_text("name = ", encoding="utf-8")
    with pytest.raises(DeviceError, match="cannot be read"):
        load_board(str(own))
    own.write_text(text, encoding="utf-8")
    assert load_board(str(own)) == load_board()
