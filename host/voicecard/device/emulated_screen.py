"""The emulated card's screens as pictures that look like the display: light pixels with gaps, on black."""

from __future__ import annotations

import base64
from pathlib import Path

from voicecard.errors import DeviceError

WIDTH = 128
_SCALE = 4
_MARGIN = 16
_LIGHT = (186, 226, 255)
_BLACK = (4, 6, 9)


class ScreenRecorder:
    """Writes screens as NNNN-SSSSS.mmms.png (number, seconds since power-on), and the last also as last.png."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.written: list[Path] = []
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DeviceError(
                f"the folder {folder} for screens cannot be made ({error.strerror}): give another"
            ) from error

    def add(self, bits_base64: str, height: int, time_us: int) -> None:
        """`bits_base64`: rows of 16 bytes, most significant bit first, 1 is light."""
        image = picture_of(base64.b64decode(bits_base64), height)
        seconds, ms = divmod(time_us // 1000, 1000)
        name = f"{len(self.written) + 1:04}-{seconds:05}.{ms:03}s.png"
        path = self._folder / name
        try:
            path.write_bytes(image)
            (self._folder / "last.png").write_bytes(image)
        except OSError as error:
            raise DeviceError(f"the screen {path} cannot be written ({error.strerror}): make room") from error
        self.written.append(path)


def picture_of(bits: bytes, height: int) -> bytes:
    """A PNG of the pixels: rows of 16 bytes, most significant bit first, 1 is light."""
    import io

    from PIL import Image, ImageChops

    size = (WIDTH * _SCALE, height * _SCALE)
    lit = Image.frombytes("1", (WIDTH, height), bits).resize(size, Image.Resampling.NEAREST)
    columns = Image.frombytes("1", (8, 1), bytes([0b1110_1110]))  # three of four: a pixel and its gap
    row = Image.new("1", (size[0], 4))
    for x in range(0, size[0], 8):
        for y in range(3):
            row.paste(columns, (x, y))
    grid = Image.new("1", size)
    for y in range(0, size[1], 4):
        grid.paste(row, (0, y))
    picture = Image.new("RGB", (size[0] + 2 * _MARGIN, size[1] + 2 * _MARGIN), _BLACK)
    picture.paste(_LIGHT, (_MARGIN, _MARGIN), ImageChops.logical_and(lit, grid))
    out = io.BytesIO()
    picture.save(out, "PNG", optimize=True)
    return out.getvalue()
