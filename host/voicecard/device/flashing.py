"""From a bare board to a card. What is on the board's partition `recordings` stays, unless its owner wants it gone."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from serial.tools.list_ports_common import ListPortInfo

from voicecard.device.application import XTENSAWIN
from voicecard.device.boards import Board
from voicecard.device.client import CardLink
from voicecard.device.esp_image import MicroPython
from voicecard.device.esptool import CHIP, DOWNLOAD_MODE, Chip, Esptool, Progress
from voicecard.device.find import candidates, meet, serial_ports
from voicecard.device.image import build_flash_image, refresh_application
from voicecard.device.partitions import (
    FACTORY_AT,
    SECTOR_BYTES,
    SLOTS_AT,
    SLOTS_BYTES,
    TABLE_AT,
    TABLE_BYTES,
    Partition,
    layout,
    read_table,
)
from voicecard.device.verify import verify
from voicecard.errors import DeviceError, UsageError
from voicecard.firmware.wire import sector

SMALLEST_FLASH_BYTES = 4 * 1024 * 1024
ESPRESSIF = 0x303A
_MICROPYTHON_PID = 0x4001  # its port goes when the board enters download mode
_BRIDGES = (0x10C4, 0x1A86, 0x0403)  # Silicon Labs, WCH, FTDI: what boards have between USB and UART
_COMES_UP_S = 60.0
_ANOTHER_PORT_S = 5.0
_LOOK_S = 0.25


@dataclass(frozen=True, slots=True)
class Found:
    """A board before it is written. `card`: it has the partitions of a card, and recordings may be there."""

    esptool: Esptool
    chip: Chip
    card: bool

    @property
    def recordings(self) -> Partition:
        return layout(self.chip.flash_bytes)[-1]


def find_board(port: str | None) -> Found:
    """Reset the board on `port`, or on the only port that may have one, into download mode, and check what it is.

    Raises UsageError for several, DeviceError for none, or a board that cannot be a card."""
    chosen = port or _only_port(serial_ports())
    native = _is_native(chosen)
    tool = Esptool(chosen, native)
    try:
        chip = tool.identify()
    except DeviceError:
        moved = _download_port() if native else None
        if moved is None:
            raise
        tool = Esptool(moved, native_usb=True)
        chip = tool.identify()
    _check(chip, tool.port)
    return Found(tool, chip, _has_card(tool, chip))


def count_unproved(found: Found, on_progress: Progress) -> int:
    """How many recordings are on the board that no library has proved to hold."""
    region = found.recordings
    flash = found.esptool.read(region.offset, region.size, on_progress)
    proved: dict[bytes, bool] = {}
    for at in range(0, len(flash), SECTOR_BYTES):
        page = flash[at : at + sector.PAGE_BYTES]
        header = sector.read_header(page)
        if header:
            safe = any(sector.find_cell(page, kind) for kind in (sector.SAFE, sector.DEAD))
            proved[header.nonce] = proved.get(header.nonce, False) or safe
    return sum(not safe for safe in proved.values())


def write_card(
    found: Found,
    micropython: MicroPython,
    on_progress: Progress,
    compiled: bool = True,
    erase_recordings: bool = False,
    board: Board | None = None,
) -> None:
    """Write MicroPython, the partition table and the application, and start the board. Settings and recordings of a card stay.

    `board`: what it is wired like; None: a card stays as it is, and a new one is the default board."""
    plan = {partition.label: partition for partition in layout(found.chip.flash_bytes)}
    vfs = plan["vfs"]
    is_new = not found.card or erase_recordings
    with tempfile.TemporaryDirectory(prefix="voicecard-") as folder:
        image = Path(folder, "flash.bin")
        build_flash_image(image, found.chip.flash_bytes, compiled=compiled, micropython=micropython, board=board)
        if not is_new:
            from_at, size = SLOTS_AT, vfs.offset + vfs.size - SLOTS_AT
            _keep_files(image, from_at, found.esptool.read(from_at, size, on_progress), compiled, board)
        flash = image.read_bytes()
    regions = [
        (0, len(micropython.boot_loader)),
        (TABLE_AT, SECTOR_BYTES),
        (FACTORY_AT, len(micropython.application)),
        (SLOTS_AT, SLOTS_BYTES),
        (vfs.offset, vfs.size),
    ]
    if is_new:
        regions.append((found.recordings.offset, found.recordings.size))
    found.esptool.write([(at, flash[at : at + size]) for at, size in regions], on_progress)


def greet(timeout_s: float = _COMES_UP_S, meet_card: Callable[[], CardLink | None] | None = None) -> CardLink:
    """Wait for the card that has just been written to come up. Raises DeviceError if none does."""
    look = meet_card or _meet_any
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        link = look()
        if link is not None:
            return link
        time.sleep(_LOOK_S)
    raise DeviceError(
        "the board is written and verified, but no card answers: press RESET, plug the cable into the socket named USB"
        " if the board has two, and see `voicecard devices`"
    )


def check_card(link: CardLink) -> None:
    """The card that came up runs what was written, on a MicroPython that loads its machine code. Raises DeviceError."""
    verdict = verify(link)
    if verdict.differences:
        paths = ", ".join(difference.path for difference in verdict.differences)
        raise DeviceError(f"the card runs other files than were written ({paths}): flash it again")
    if verdict.compiled and not loads_compiled(verdict.mpy):
        raise DeviceError("the card's MicroPython loads no modules compiled for the ESP32-S3: flash it with --sources")


def loads_compiled(mpy: int) -> bool:
    """Whether a MicroPython with that `sys.implementation._mpy` loads what mpy-cross makes for the S3, machine code among it.

    Source: MicroPython's reference, "MicroPython .mpy files": version, sub-version of machine code, architecture."""
    return (mpy & 0xFF, mpy >> 8 & 3, mpy >> 10) == (6, 3, XTENSAWIN)


def _meet_any() -> CardLink | None:
    for candidate in candidates():
        with suppress(DeviceError):
            return meet(candidate)
    return None


def _only_port(ports: Iterable[ListPortInfo]) -> str:
    by_device: dict[tuple[object, ...], str] = {}
    for info in sorted(ports):
        if info.vid == ESPRESSIF or info.vid in _BRIDGES:
            plug = (info.location or info.device).partition(":")[0]
            by_device.setdefault((info.vid, info.pid, info.serial_number, plug), info.device)
    found = list(by_device.values())
    if not found:
        raise DeviceError(f"no board found: plug one in by a USB cable that carries data; if it is in, {DOWNLOAD_MODE}")
    if len(found) > 1:
        raise UsageError(f"several boards may be plugged in ({', '.join(found)}): choose one with --port")
    return found[0]


def _is_native(port: str) -> bool:
    return any(info.device == port and info.vid == ESPRESSIF for info in serial_ports())


def _download_port() -> str | None:
    """The port at which a board with USB of its own shows up again once it is in download mode."""
    deadline = time.monotonic() + _ANOTHER_PORT_S
    while time.monotonic() < deadline:
        for info in serial_ports():
            if info.vid == ESPRESSIF and info.pid != _MICROPYTHON_PID:
                return info.device
        time.sleep(_LOOK_S)
    return None


def _check(chip: Chip, port: str) -> None:
    if chip.name != CHIP:
        raise DeviceError(f"the board on {port} has the chip {chip.name}: a card needs the {CHIP}")
    if chip.flash_bytes < SMALLEST_FLASH_BYTES:
        size = chip.flash_bytes // (1024 * 1024)
        raise DeviceError(f"the board on {port} has {size} MB of flash: a card needs 4 MB at least")


def _has_card(tool: Esptool, chip: Chip) -> bool:
    """Whether recordings lie where this program would put them. Raises DeviceError if they lie elsewhere."""
    table = {partition.label: partition for partition in read_table(tool.read(TABLE_AT, TABLE_BYTES))}
    there, planned = table.get("recordings"), layout(chip.flash_bytes)[-1]
    if there is not None and there != planned:
        raise DeviceError(
            f"the recordings on the board on {tool.port} lie elsewhere than this program keeps them: save them with"
            " `voicecard sync` or a dump (`esptool read-flash 0 ALL`), then `esptool erase-flash`, and flash again"
        )
    return there is not None


def _keep_files(image: Path, at: int, content: bytes, compiled: bool, board: Board | None) -> None:
    """The card's own files stay as they are, if its file system can be read; the application in it is made new.

    `content`: what the card has from `at` on, the slots' log and the file system."""
    fresh = image.read_bytes()
    kept = fresh[:at] + content + fresh[at + len(content) :]
    image.write_bytes(kept)
    try:
        refresh_application(image, compiled=compiled, board=board)
    except DeviceError:
        image.write_bytes(fresh)
