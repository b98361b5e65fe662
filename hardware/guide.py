"""The tables and the wiring diagram of the build guide, made of board.toml and bom.csv.

`make docs` puts the tables into README.md; `guide.py FILE` writes the wiring as wireviz reads it."""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voicecard.device.boards import Board, board_names, load_board

_HERE = Path(__file__).parent
_WIRES = (
    # the part, its pin, and the pin of the board: (part, signal) in board.toml, or the name of a supply
    ("microphone", "VDD", "3V3"),
    ("microphone", "GND", "GND"),
    ("microphone", "L/R", "GND"),
    ("microphone", "SCK", ("microphone", "sck")),
    ("microphone", "WS", ("microphone", "ws")),
    ("microphone", "SD", ("microphone", "sd")),
    ("display", "VCC", "3V3"),
    ("display", "GND", "GND"),
    ("display", "SDA", ("display", "sda")),
    ("display", "SCL", ("display", "scl")),
    ("key rec", "1", ("keys", "rec")),
    ("key rec", "2", "GND"),
    ("key rec", "1, by 100 kΩ", "3V3"),
    ("key memo", "1", ("keys", "memo")),
    ("key memo", "2", "GND"),
    ("key memo", "1, by 100 kΩ", "3V3"),
    ("LED, 1 kΩ in series", "anode", ("signal", "pin")),
    ("LED, 1 kΩ in series", "cathode", "GND"),
    ("battery divider", "top, 100 kΩ", "battery +"),
    ("battery divider", "middle", ("battery", "adc")),
    ("battery divider", "bottom, 100 kΩ and 100 nF", "GND"),
    ("cable sense", "gate", "5V"),
    ("cable sense", "gate, by 100 kΩ", "GND"),
    ("cable sense", "drain", ("cable", "pin")),
    ("cable sense", "drain, by 100 kΩ", "3V3"),
    ("cable sense", "source", "GND"),
)


_COLORS = {"GND": "BK", "3V3": "RD", "5V": "OG", "battery +": "VT"}


@dataclass(frozen=True)
class Item:
    """A line of the bill of materials; price and mass are typical ones of a single piece, 0 g for what stays on the bench."""

    part: str
    quantity: int
    maker: str
    number: str
    price_usd: float
    mass_g: float
    needed: str


def items() -> list[Item]:
    with (_HERE / "bom.csv").open(encoding="utf-8", newline="") as file:
        return [
            Item(
                row["part"],
                int(row["quantity"]),
                row["maker"],
                row["part number"],
                float(row["price USD"]),
                float(row["mass g"]),
                row["needed"],
            )
            for row in csv.DictReader(file)
        ]


def bill() -> str:
    """The bill of materials as a table, with what it costs with and without the options."""
    lines = ["| part | quantity | maker, number | each, USD | needed |", "| --- | --- | --- | --- | --- |"]
    lines += [f"| {i.part} | {i.quantity} | {i.maker} {i.number} | {i.price_usd:.2f} | {i.needed} |" for i in items()]
    least = sum(i.quantity * i.price_usd for i in items() if i.needed.startswith("always"))
    most = sum(i.quantity * i.price_usd for i in items())
    return "\n".join([*lines, "", f"{least:.2f} USD for a card on the cable, {most:.2f} USD with signal and battery."])


def beside() -> str:
    """Size, mass and cost of a card in its box, beside a commercial one."""
    size = json.loads((_HERE / "enclosure" / "sizes.json").read_text(encoding="utf-8"))["devkitc"]
    inside = [item for item in items() if item.mass_g]
    mass_g = size["mass_g"] + sum(item.quantity * item.mass_g for item in inside)
    cost = sum(item.quantity * item.price_usd for item in inside)
    outer = " x ".join(f"{mm:g}" for mm in size["outer_mm"])
    return "\n".join(
        [
            "| | size, mm | mass, g | cost, USD |",
            "| --- | --- | --- | --- |",
            f"| this card, with a battery, in a printed box | {outer} | {mass_g:.0f}, computed | {cost:.0f} for the parts |",
            "| Plaud Note, as advertised | 85.6 x 54.1 x 2.99 | 30 | 159 |",
        ]
    )


def wires(board: Board) -> list[tuple[str, str, str]]:
    """(part, its pin, the board's pin) of every wire that the board has a place for."""
    found = []
    for part, pin, to in _WIRES:
        if isinstance(to, str):
            found.append((part, pin, to))
        elif to in board.pins:
            found.append((part, pin, f"GPIO{board.pins[to]}"))
    fitted = {part for part, _, to in found if to.startswith("GPIO")}
    return [wire for wire in found if wire[0] in fitted]


def wiring() -> str:
    """The wires of every board, side by side."""
    names = board_names()
    boards = [load_board(name) for name in names]
    by_pin = [{(part, pin): to for part, pin, to in wires(board)} for board in boards]
    heading = " | ".join(board.name for board in boards)
    lines = [f"| part | pin | {heading} |", "| --- | --- |" + " --- |" * len(boards)]
    for part, pin, _ in _WIRES:
        lines.append(f"| {part} | {pin} | {' | '.join(wired.get((part, pin), '-') for wired in by_pin)} |")
    return "\n".join(lines)


def limits() -> str:
    """What the other boards lack."""
    boards = [load_board(name) for name in board_names()]
    return "\n".join(
        f"* **{board.name}** ({board.module}): {'; '.join(board.limits)}." for board in boards if board.limits
    )


def diagram(board: Board) -> dict[str, Any]:
    """The wiring of a board in wireviz's terms."""
    found = wires(board)
    pins = list(dict.fromkeys(to for _, _, to in found))
    parts = list(dict.fromkeys(part for part, _, _ in found))
    connectors: dict[str, Any] = {"board": {"type": board.name, "pinlabels": pins, "show_pincount": False}}
    cables, connections = {}, []
    for part in parts:
        own = [(pin, to) for name, pin, to in found if name == part]
        connectors[part] = {"pinlabels": [pin for pin, _ in own], "show_pincount": False}
        colors = [_COLORS.get(to, "BU") for _, to in own]
        cable = f"to {part}"
        cables[cable] = {"wirecount": len(own), "colors": colors, "show_name": False, "show_wirecount": False}
        numbers = list(range(1, len(own) + 1))
        connections.append(
            [{"board": [pins.index(to) + 1 for _, to in own]}, {cable: numbers}, {part: numbers}]
        )  # fmt: skip
    return {"connectors": connectors, "cables": cables, "connections": connections}


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(diagram(load_board()), ensure_ascii=False), encoding="utf-8")
