"""Boards that a card can be built on: what is wired to which pin, and the text of the card's pin map."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voicecard.errors import DeviceError

DEFAULT = "devkitc"
PSRAM_KINDS = ("none", "quad", "octal")
_NEEDED = {
    *(("microphone", name) for name in ("sck", "ws", "sd")),
    *(("display", name) for name in ("sda", "scl")),
    *(("keys", name) for name in ("rec", "memo")),
}
_WANTED = {("battery", "adc"), ("signal", "pin"), ("cable", "pin")}
_HEAD = '''"""The pin map of {name}. Made of its file in hardware/: change that, or this copy on your card."""

from micropython import const

'''


@dataclass(frozen=True, slots=True)
class Board:
    """A board as its file describes it. `pins`: GPIO by (part, signal); a part that is not fitted has none.

    `battery_divider`: how much less than the battery's voltage the pin sees; `limits`: sentences for its builder."""

    name: str
    module: str
    flash_mb: int
    psram_mb: int
    psram: str
    broken_out: frozenset[int]
    limits: tuple[str, ...]
    pins: Mapping[tuple[str, str], int]
    battery_divider: int


def board_names() -> tuple[str, ...]:
    """The boards that this program knows."""
    return tuple(sorted(path.stem for path in _folder().glob("*.toml")))


def load_board(name: str = DEFAULT) -> Board:
    """A board by its name, or of somebody's own file. Raises DeviceError if there is none, or something in it makes no sense."""
    path = Path(name) if name.endswith(".toml") else _folder() / f"{name}.toml"
    try:
        about = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        known = ", ".join(board_names())
        raise DeviceError(
            f"there is no board {name}: choose one of {known}, or give a .toml file of your own"
        ) from None
    except (OSError, UnicodeError, tomllib.TOMLDecodeError) as error:
        raise DeviceError(f"the board file {path} cannot be read ({error}): mend it") from error
    try:
        return _board(about)
    except (KeyError, TypeError, ValueError) as error:
        raise DeviceError(
            f"the board file {path} is not complete ({error!r}): compare it with hardware/board.toml"
        ) from error


def pins_module(board: Board) -> str:
    """The card's module `card/pins.py` for that board: None where nothing is wired."""
    pin = board.pins.get
    lines = [
        *(f"MIC_{name.upper()}_PIN = const({pin(('microphone', name))})" for name in ("sck", "ws", "sd")),
        *(f"DISPLAY_{name.upper()}_PIN = const({pin(('display', name))})" for name in ("sda", "scl")),
        f'KEY_PINS = {{"rec": {pin(("keys", "rec"))}, "memo": {pin(("keys", "memo"))}}}',
        f"BATTERY_PIN = {pin(('battery', 'adc'))}  # through the divider, on ADC1",
        f"BATTERY_DIVIDER = const({board.battery_divider})",
        f"SIGNAL_PIN = {pin(('signal', 'pin'))}  # an LED to ground, or a vibration motor by a transistor",
        f"CABLE_PIN = {pin(('cable', 'pin'))}  # a transistor pulls it low while the cable brings power",
    ]
    return _HEAD.format(name=board.name) + "\n".join(lines) + "\n"


def emulated_wiring(board: Board) -> dict[str, object]:
    """The same for the emulated board: the names that its `board.py` begins with."""
    pin = board.pins.get
    return {
        "I2S_PINS": [pin(("microphone", name)) for name in ("sck", "ws", "sd")],
        "I2C_PINS": [pin(("display", name)) for name in ("sda", "scl")],
        "BATTERY_PIN": pin(("battery", "adc")),
        "BATTERY_DIVIDER": board.battery_divider,
        "KEY_PINS": {name: pin(("keys", name)) for name in ("rec", "memo")},
        "SIGNAL_PIN": pin(("signal", "pin")),
        "CABLE_PIN": pin(("cable", "pin")),
    }


def _board(about: dict[str, Any]) -> Board:
    pins = {(part, signal): about[part][signal] for part, signal in _NEEDED}
    pins |= {(part, signal): about[part][signal] for part, signal in _WANTED if part in about}
    if not all(type(pin) is int for pin in pins.values()):
        raise ValueError("a pin is a number")
    if about["psram"] not in PSRAM_KINDS:
        raise ValueError(f"psram is one of {', '.join(PSRAM_KINDS)}")
    divider = int(about.get("battery", {"divider": 1})["divider"])
    return Board(
        str(about["name"]),
        str(about["module"]),
        int(about["flash_mb"]),
        int(about["psram_mb"]),
        str(about["psram"]),
        frozenset(about["broken_out"]),
        tuple(about["limits"]),
        pins,
        divider,
    )


def _folder() -> Path:
    return Path(__file__).parents[1] / "boards"
