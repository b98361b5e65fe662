"""Turns drawn digits into the boxes of which the card paints them: `make docs` writes card/ui/digits_*.py.

A drawing: any text, then for each digit a line [0] and its rows, # for a lit pixel. Boxes, since both frame buffers on which the
screens are drawn, MicroPython's and Adafruit's, fill those alike and fast, and blitting they do not share."""

from __future__ import annotations

import re
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
SIZES = ("large", "small")
Box = tuple[int, int, int, int]


def drawn(text: str) -> list[list[str]]:
    """The rows of each digit from 0 on. Raises ValueError if they are not ten of one size."""
    parts = re.split(r"^\[(\d)\]\n", text, flags=re.MULTILINE)[1:]
    digits = {int(name): rows.split() for name, rows in zip(parts[::2], parts[1::2], strict=True)}
    sizes = {(len(row), len(rows)) for rows in digits.values() for row in rows}
    if sorted(digits) != list(range(10)) or len(sizes) != 1:
        raise ValueError(f"ten digits of one size are wanted, not {sorted(digits)} of {sizes}")
    return [digits[number] for number in range(10)]


def boxes(rows: list[str]) -> list[Box]:
    """x, y, width and height of boxes that cover what is lit, once: runs of a row, made higher while the next rows have the same."""
    runs = [{(found.start(), found.end()) for found in re.finditer("#+", row)} for row in rows]
    found = []
    for y, row in enumerate(runs):
        for start, end in sorted(row):
            height = 1
            while y + height < len(runs) and (start, end) in runs[y + height]:
                runs[y + height].remove((start, end))
                height += 1
            found.append((start, y, end - start, height))
    return found


def module(size: str) -> str:
    """The text of card/ui/digits_SIZE.py, made of SIZE.txt."""
    digits = drawn((FOLDER / f"{size}.txt").read_text(encoding="utf-8"))
    lines = [
        f'"""Digits as boxes to fill, made by fonts/make.py out of fonts/{size}.txt: change that, and run `make docs`.',
        "",
        'Of each digit x, y, width and height of its boxes, four bytes each."""',
        "",
        f"WIDTH, HEIGHT = {len(digits[0][0])}, {len(digits[0])}",
        "BOXES = (",
        *(f'    b"{_escaped(boxes(rows))}",' for rows in digits),
        ")",
    ]
    return "\n".join(lines) + "\n"


def _escaped(found: list[Box]) -> str:
    return "".join(f"\\x{byte:02x}" for box in found for byte in box)


if __name__ == "__main__":
    for size in SIZES:
        (Path(sys.argv[1]) / f"digits_{size}.py").write_text(module(size), encoding="utf-8")
