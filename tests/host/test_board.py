"""The pin map has one source: what the card uses and what the emulated board wires up is what hardware/board.toml says."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path
from typing import Any

from interpreters import ROOT

BOARD = tomllib.loads((ROOT / "hardware" / "board.toml").read_text(encoding="utf-8"))
FORBIDDEN = {19, 20, *range(26, 38), 0, 3, 45, 46, 43, 44}  # USB, flash, octal PSRAM, strapping, UART


def constants(path: Path) -> dict[str, Any]:
    """A module's top-level constants, const() taken off."""

    def value(node: ast.expr) -> Any:
        if isinstance(node, ast.Call):
            return value(node.args[0])
        if isinstance(node, ast.Tuple):
            return tuple(value(element) for element in node.elts)
        return ast.literal_eval(node)

    found: dict[str, Any] = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if not isinstance(node, ast.Assign):
            continue
        target = node.targets[0]
        try:
            got = value(node.value)
        except (ValueError, IndexError):
            continue
        if isinstance(target, ast.Tuple):
            found.update(zip((name.id for name in target.elts if isinstance(name, ast.Name)), got, strict=True))
        elif isinstance(target, ast.Name):
            found[target.id] = got
    return found


def test_the_card_uses_the_pins_of_the_map() -> None:
    card = constants(ROOT / "firmware" / "card" / "board.py")
    microphone, display = BOARD["microphone"], BOARD["display"]
    assert (card["MIC_SCK_PIN"], card["MIC_WS_PIN"], card["MIC_SD_PIN"]) == tuple(microphone.values())
    assert (card["DISPLAY_SDA_PIN"], card["DISPLAY_SCL_PIN"]) == (display["sda"], display["scl"])
    assert card["KEY_PINS"] == BOARD["keys"]
    assert card["SIGNAL_PIN"] == BOARD["signal"]["pin"]
    assert card["CABLE_PIN"] == BOARD["power"]["cable"]
    assert (card["BATTERY_PIN"], card["BATTERY_DIVIDER"]) == (BOARD["battery"]["adc"], BOARD["battery_divider"])


def test_the_emulated_board_is_wired_by_the_map() -> None:
    emulated = constants(ROOT / "firmware" / "emulator" / "board.py")
    assert emulated["I2S_PINS"] == tuple(BOARD["microphone"].values())
    assert emulated["I2C_PINS"] == tuple(BOARD["display"].values())
    assert emulated["KEY_PINS"] == BOARD["keys"] and emulated["BATTERY_PIN"] == BOARD["battery"]["adc"]
    assert emulated["SIGNAL_PIN"] == BOARD["signal"]["pin"]
    assert emulated["CABLE_PIN"] == BOARD["power"]["cable"]
    assert emulated["BATTERY_DIVIDER"] == BOARD["battery_divider"]


def test_what_wakes_the_chip_is_on_a_pin_that_can() -> None:
    assert {*BOARD["keys"].values(), BOARD["power"]["cable"]} <= set(range(22)), "the S3's RTC pins"


def test_no_pin_is_used_twice_or_taken_by_the_module() -> None:
    pins = [pin for part in BOARD.values() if isinstance(part, dict) for pin in part.values()]
    assert len(pins) == len(set(pins)) and not FORBIDDEN & set(pins)
