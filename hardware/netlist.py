"""The card's circuit, part by part, with an electrical rule check: `netlist.py FILE` writes the netlist; exit code 1 for an error.

Nets come from the board's file; pin types are those of the parts' data sheets."""

from __future__ import annotations

import sys
from typing import Any

from voicecard.device.boards import Board, load_board

_PULL_UP, _SERIES, _BYPASS = "100k", "1k", "100n"

_DIRECTIONS = {  # of the chip's pins: in, out, or both
    **{("microphone", "sck"): "o", ("microphone", "ws"): "o", ("microphone", "sd"): "i"},
    **{("display", "sda"): "b", ("display", "scl"): "o", ("keys", "rec"): "i", ("keys", "memo"): "i"},
    **{("battery", "adc"): "i", ("signal", "pin"): "o", ("cable", "pin"): "i"},
}


def circuit(board: Board) -> Any:
    """The circuit of that board with everything that its file has a pin for."""
    import skidl

    types = skidl.Pin.types
    skidl.reset()
    made = skidl.Circuit()

    def part(reference: str, name: str, pins: dict[str, Any], value: str = "") -> Any:
        listed = [skidl.Pin(num=str(n), name=pin, func=kind) for n, (pin, kind) in enumerate(pins.items(), 1)]
        return skidl.Part(name=name, ref=reference, ref_prefix=reference, tag=reference, value=value or name, tool=skidl.SKIDL,
                          dest=skidl.NETLIST, pins=listed, circuit=made, footprint=f"voicecard:{name}".replace(" ", "_"))  # fmt: skip

    def net(name: str) -> Any:
        return skidl.Net(name, circuit=made)

    kinds = {"i": types.INPUT, "o": types.OUTPUT, "b": types.BIDIR}
    gpio = {f"GPIO{pin}": kinds[_DIRECTIONS[key]] for key, pin in sorted(board.pins.items())}
    chip = part("U1", board.name, {"3V3": types.PWROUT, "5V": types.PWROUT, "GND": types.PWROUT, **gpio})
    supply, usb, ground = net("3V3"), net("5V"), net("GND")
    supply += chip["3V3"]
    usb += chip["5V"]
    ground += chip["GND"]
    signals = {}
    for key, pin in board.pins.items():
        signals[key] = net("_".join(key))
        signals[key] += chip[f"GPIO{pin}"]

    def between(reference: str, value: str, one: Any, other: Any) -> None:
        two = part(reference, value, {"1": types.PASSIVE, "2": types.PASSIVE}, value)
        one += two["1"]
        other += two["2"]

    microphone = part("MK1", "INMP441", {"VDD": types.PWRIN, "GND": types.PWRIN, "L/R": types.INPUT, "SCK": types.INPUT,
                                         "WS": types.INPUT, "SD": types.TRISTATE})  # fmt: skip
    supply += microphone["VDD"]
    ground += microphone["GND"], microphone["L/R"]
    for name in ("sck", "ws", "sd"):
        signals["microphone", name] += microphone[name.upper()]
    between("C1", _BYPASS, supply, ground)

    display = part("DS1", "SSD1306", {"VCC": types.PWRIN, "GND": types.PWRIN, "SDA": types.BIDIR, "SCL": types.INPUT})
    supply += display["VCC"]
    ground += display["GND"]
    for name in ("sda", "scl"):
        signals["display", name] += display[name.upper()]

    for n, name in enumerate(("rec", "memo"), 1):
        between(f"SW{n}", "key", signals["keys", name], ground)
        between(f"R{n}", _PULL_UP, supply, signals["keys", name])
    if ("signal", "pin") in signals:
        anode = net("led")
        between("R3", _SERIES, signals["signal", "pin"], anode)
        between("D1", "LED", anode, ground)
    if ("battery", "adc") in signals:
        battery = part("BT1", "cell", {"+": types.PWROUT, "-": types.PASSIVE})
        plus = net("battery")
        plus += battery["+"]
        ground += battery["-"]
        between("R4", _PULL_UP, plus, signals["battery", "adc"])
        between("R5", _PULL_UP, signals["battery", "adc"], ground)
        between("C2", _BYPASS, signals["battery", "adc"], ground)
    if ("cable", "pin") in signals:
        sense = part("Q1", "2N7000", {"G": types.INPUT, "D": types.OPENCOLL, "S": types.PASSIVE})
        usb += sense["G"]
        signals["cable", "pin"] += sense["D"]
        ground += sense["S"]
        between("R6", _PULL_UP, usb, ground)
        between("R7", _PULL_UP, supply, signals["cable", "pin"])
    return made


def check(board: Board) -> tuple[Any, int, int]:
    """(circuit, errors, warnings) of the electrical rule check."""
    import skidl

    made = circuit(board)
    made.ERC()
    return made, skidl.erc_logger.error.count, skidl.erc_logger.warning.count


if __name__ == "__main__":
    failed = 0
    for board_name in ("devkitc", "super_mini", "xiao"):
        checked, errors, warnings = check(load_board(board_name))
        sys.stdout.write(f"circuit on {board_name}: {len(checked.parts)} parts, {errors} errors, {warnings} warnings\n")
        failed += errors
        if board_name == "devkitc":
            checked.generate_netlist(file_=sys.argv[1])
    raise SystemExit(bool(failed))
