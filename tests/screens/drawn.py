"""The screens as both interpreters draw them: MicroPython on the emulated display, and CPython on Adafruit's frame buffer."""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import adafruit_ssd1306
from cases import CASES
from PIL import Image

from interpreters import BITS64, ROOT, Interpreter
from voicecard.firmware.card.ui import screens, test_card

HERE = Path(__file__).parent
WIDTH = 128
LIBRARIES = ("adafruit_ssd1306", "adafruit_bus_device")


@dataclass(frozen=True)
class Screen:
    name: str
    height: int
    pixels: bytes  # rows of 16 bytes, most significant bit first, 1 is light
    longest_us: int = 0  # that one transfer held the bus

    def picture(self) -> Image.Image:
        return Image.frombytes("1", (WIDTH, self.height), self.pixels)


def by_the_card(interpreter: Interpreter = BITS64) -> tuple[bytes, list[Screen]]:
    """MicroPython's letters, eight columns each from space on, and every case, drawn on the emulated display."""
    with tempfile.TemporaryDirectory() as folder:
        for name in LIBRARIES:
            spec = find_spec(name)
            assert spec and spec.origin
            origin = Path(spec.origin)
            source = origin.parent if origin.name == "__init__.py" else origin
            (Path(folder) / source.name).symlink_to(source)
        command = [*interpreter.command(), str(HERE / "draw_card.py"), str(ROOT / "firmware"), str(HERE), folder]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    letters, *lines = done.stdout.split("\n")[: len(CASES) + 1]
    fields = [line.split() for line in lines]
    drawn = [
        Screen(name, height, bytes.fromhex(pixels), int(longest_us))
        for (name, height, *_), (longest_us, pixels) in zip(CASES, fields, strict=True)
    ]
    return bytes.fromhex(letters), drawn


def by_the_host(letters: bytes) -> list[Screen]:
    """The same by CPython, on Adafruit's driver, with the card's letters."""
    drawn = []
    for name, height, function, arguments in CASES:
        display = _HostDisplay(height, letters)
        getattr(test_card if function == "test_card" else screens, function)(display, *arguments)
        drawn.append(Screen(name, height, display.rows()))
    return drawn


class _Nowhere:
    """An I2C bus, as the driver knows it, on which everything is taken."""

    def try_lock(self) -> bool:
        return True

    def unlock(self) -> None:
        pass

    def writeto(self, address: int, buffer: bytes, **slices: int) -> None:
        pass


class _HostDisplay(adafruit_ssd1306.SSD1306_I2C):  # type: ignore[misc]
    """Adafruit's own letters are 5 by 8, and differ from MicroPython's."""

    def __init__(self, height: int, letters: bytes) -> None:
        super().__init__(WIDTH, height, _Nowhere(), page_addressing=True)
        self._letters = letters

    def text(self, string: str, x: int, y: int, color: int) -> None:
        for at, letter in enumerate(string):
            first = 8 * (ord(letter) - 32)
            for column, bits in enumerate(self._letters[first : first + 8]):
                for row in range(8):
                    if bits >> row & 1:
                        self.pixel(x + 8 * at + column, y + row, color)

    def rows(self) -> bytes:
        image = Image.new("1", (WIDTH, self.height))
        for y in range(self.height):
            for x in range(WIDTH):
                image.putpixel((x, y), self.pixel(x, y))
        return image.tobytes()
