"""What the ESP32-S3 and its modules allow a pin to be. Source: ESP32-S3 Series Datasheet, sections 2.2 (pins) and 3 (strapping)."""

from __future__ import annotations

from collections import defaultdict

from voicecard.device.boards import Board

_EXISTING = frozenset([*range(22), *range(26, 49)])
_USB = frozenset([19, 20])
_FLASH = frozenset(range(26, 33))
_OCTAL_PSRAM = frozenset(range(33, 38))
_UART = frozenset([43, 44])  # the boot loader talks there, and boards have a bridge at it
_STRAPPING = frozenset([0, 3, 45, 46])
_RTC = frozenset(range(22))
_ADC1, _ADC2 = frozenset(range(1, 11)), frozenset(range(11, 21))
_WAKES = (("keys", "rec"), ("keys", "memo"), ("cable", "pin"))
_ADC_FULL_SCALE_MV = 3100  # at 11 dB, where the converter is still straight
_FULL_BATTERY_MV = 4200


def broken_rules(board: Board) -> list[str]:
    """A sentence for each rule that the board's pin map breaks; none for a map that works."""
    said = []
    users = defaultdict(list)
    for (part, signal), pin in sorted(board.pins.items()):
        what = f"{part}.{signal}"
        users[pin].append(what)
        said += [f"{what}: pin {pin} {why}" for why in _why_not(board, pin)]
    said += [f"pin {pin} is used twice: {' and '.join(names)}" for pin, names in users.items() if len(names) > 1]
    for part, signal in _WAKES:
        waking = board.pins.get((part, signal))
        if waking is not None and waking not in _RTC:
            said.append(f"{part}.{signal}: pin {waking} cannot wake the chip, only 0 to 21 can")
    return said + _battery(board)


def _why_not(board: Board, pin: int) -> list[str]:
    reasons = [
        (pin not in _EXISTING, "does not exist on the ESP32-S3"),
        (pin not in board.broken_out, f"is not broken out on the {board.name}"),
        (pin in _USB, "is taken by USB"),
        (pin in _FLASH, "is taken by the flash"),
        (pin in _OCTAL_PSRAM and board.psram == "octal", "is taken by the octal PSRAM"),
        (pin in _UART, "is taken by the UART"),
        (pin in _STRAPPING, "is a strapping pin: what hangs on it decides how the chip starts"),
    ]
    return [why for applies, why in reasons if applies]


def _battery(board: Board) -> list[str]:
    pin = board.pins.get(("battery", "adc"))
    if pin is None:
        return []
    said = []
    if pin in _ADC2:
        said.append(f"battery.adc: pin {pin} is on ADC2: only ADC1 (1 to 10) measures at all times")
    elif pin not in _ADC1:
        said.append(f"battery.adc: pin {pin} has no converter: take one of 1 to 10")
    if board.battery_divider < 1 or _FULL_BATTERY_MV / board.battery_divider > _ADC_FULL_SCALE_MV:
        said.append(f"battery.divider: {board.battery_divider} lets a full battery go beyond the converter's range")
    return said
