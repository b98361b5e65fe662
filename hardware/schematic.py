"""The schematic of the whole card on the default board: `schematic.py FILE` draws it as SVG. Nets of one name are one net."""

from __future__ import annotations

import sys
from typing import Any

from voicecard.device.boards import Board, load_board

_COLUMN = 4.0


def draw(board: Board, path: str) -> None:
    """The board with its nets in the middle, the parts around it with theirs."""
    import schemdraw
    from schemdraw import elements as elm

    pins = {f"{part}.{signal}": pin for (part, signal), pin in sorted(board.pins.items())}
    supplies = [(name, name) for name in ("3V3", "5V", "GND")]
    microphone = [(name.upper(), f"microphone.{name}") for name in ("sck", "ws", "sd")]
    display = [(name.upper(), f"display.{name}") for name in ("sda", "scl")]
    ladders = [
        ("3V3", [("100 nF", elm.Capacitor)], ""),
        ("3V3", [("100 kΩ", elm.Resistor), ("rec", elm.Button)], "keys.rec"),
        ("3V3", [("100 kΩ", elm.Resistor), ("memo", elm.Button)], "keys.memo"),
        ("signal.pin", [("1 kΩ", elm.Resistor), ("LED", elm.LED)], ""),
        ("battery +", [("100 kΩ", elm.Resistor), ("100 kΩ ∥ 100 nF", elm.Resistor)], "battery.adc"),
        ("5V", [("100 kΩ", elm.Resistor)], ""),
    ]
    schemdraw.use("svg")  # text stays text
    with schemdraw.Drawing(file=path, show=False) as drawing:
        drawing.config(fontsize=10, unit=1.6)
        _chip(drawing, elm, board.name, supplies, [(f"GPIO{n}", net) for net, n in pins.items()], (0, 0))
        _chip(drawing, elm, "INMP441", [("VDD", "3V3"), ("GND", "GND"), ("L/R", "GND")], microphone, (13, 6))
        _chip(drawing, elm, "SSD1306", [("VCC", "3V3"), ("GND", "GND")], display, (13, 1))
        for n, (top, parts, tap) in enumerate(ladders):
            _ladder(drawing, elm, (n * _COLUMN - 3.5, -3), top, parts, tap)
        _sense(drawing, elm, (len(ladders) * _COLUMN - 3.0, -4.7))


def _chip(drawing: Any, elm: Any, name: str, left: list[Any], right: list[Any], at: tuple[float, float]) -> None:
    """A block with a labelled net at each pin."""
    pins = [elm.IcPin(name=pin, side="left", anchorname=f"l{n}") for n, (pin, _) in enumerate(reversed(left))]
    pins += [elm.IcPin(name=pin, side="right", anchorname=f"r{n}") for n, (pin, _) in enumerate(reversed(right))]
    chip = drawing.add(elm.Ic(pins=pins, leadlen=0.8, pinspacing=0.9, edgepadW=1.4).at(at).label(name, "top"))
    for side, listed in (("l", left), ("r", right)):
        for n, (_, net) in enumerate(reversed(listed)):
            drawing.add(
                elm.Dot(open=True).at(getattr(chip, f"{side}{n}")).label(net, "left" if side == "l" else "right")
            )


def _ladder(drawing: Any, elm: Any, at: tuple[float, float], top: str, parts: list[Any], tap: str) -> None:
    """Parts one under the other, from a net down to ground; the tap is the net between the first two."""
    drawing.add(elm.Dot(open=True).at(at).label(top, "top"))
    for n, (value, kind) in enumerate(parts):
        drawing.add(kind().down().label(value, "bottom"))
        if n == 0 and tap:
            drawing.add(elm.Dot().label(tap, "right"))
    drawing.add(elm.Ground())


def _sense(drawing: Any, elm: Any, at: tuple[float, float]) -> None:
    """The transistor that pulls `cable` low while the cable brings power."""
    fet = drawing.add(elm.NFet().at(at).label("2N7000", "right"))
    drawing.add(elm.Ground().at(fet.source))
    drawing.add(elm.Dot(open=True).at(fet.gate).label("5V", "left"))
    drawing.add(elm.Dot().at(fet.drain).label("cable.pin", "right"))
    drawing.add(elm.Resistor().up().at(fet.drain).label("100 kΩ", "bottom"))
    drawing.add(elm.Dot(open=True).label("3V3", "top"))


if __name__ == "__main__":
    draw(load_board(), sys.argv[1])
