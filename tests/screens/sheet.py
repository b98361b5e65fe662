"""`make screens` draws every screen on one sheet; with `record` it also writes down what they look like now.

The hashes in hashes.json are what the tests compare with: record them only after a look at the sheet."""

from __future__ import annotations

import hashlib
import io
import json
import sys
from pathlib import Path

from drawn import HERE, Screen, by_the_card
from PIL import Image, ImageDraw, ImageFont

from voicecard.device.emulated_screen import picture_of

HASHES = HERE / "hashes.json"
COLUMNS, CAPTION, GAP, SCALE = 4, 26, 10, 2
PAPER, INK = (246, 244, 240), (60, 60, 66)


def digests(screens: list[Screen]) -> dict[str, str]:
    return {screen.name: hashlib.sha256(screen.pixels).hexdigest()[:16] for screen in screens}


def sheet(screens: list[Screen]) -> Image.Image:
    """All screens as on the glass, with their names below."""
    cells = [(screen.name, _on_glass(screen)) for screen in screens]
    width = max(image.width for _, image in cells) + GAP
    rows = [cells[at : at + COLUMNS] for at in range(0, len(cells), COLUMNS)]
    heights = [max(image.height for _, image in row) + CAPTION for row in rows]
    whole = Image.new("RGB", (COLUMNS * width + GAP, sum(heights) + GAP), PAPER)
    pen, letters, top = ImageDraw.Draw(whole), ImageFont.load_default(14), GAP
    for row, height in zip(rows, heights, strict=True):
        for column, (name, image) in enumerate(row):
            whole.paste(image, (GAP + column * width, top))
            pen.text((GAP + column * width, top + image.height + 4), name, INK, letters)
        top += height
    return whole


def _on_glass(screen: Screen) -> Image.Image:
    image = Image.open(io.BytesIO(picture_of(screen.pixels, screen.height)))
    return image.resize((image.width // SCALE, image.height // SCALE), Image.Resampling.BOX)


def main(target: str, *orders: str) -> None:
    _, screens = by_the_card()
    sheet(screens).save(target)
    print(f"{len(screens)} screens: {target}")
    if orders == ("record",):
        HASHES.write_text(json.dumps(digests(screens), indent=2) + "\n", encoding="utf-8")
        print(f"recorded: {HASHES.name}")
    elif digests(screens) != json.loads(HASHES.read_text(encoding="utf-8")):
        sys.exit("they differ from what is recorded: look at the sheet, then `make screens-record`")


if __name__ == "__main__":
    main(str(Path(sys.argv[1])), *sys.argv[2:])
