"""Flash images of a card: MicroPython, partition table, the application on littlefs, and recordings sectors ready for use."""

from __future__ import annotations

import os
import random
import re
import secrets
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from littlefs import LittleFS, LittleFSError
from littlefs.context import UserContext

from voicecard.device.application import COMPILED, LIBRARIES, PINS, application_files, firmware_folder, is_chip_code
from voicecard.device.boards import Board
from voicecard.device.esp_image import MicroPython, with_flash_size
from voicecard.device.partitions import (
    FACTORY_AT,
    SECTOR_BYTES,
    TABLE_AT,
    UPDATE_VFS_BYTES,
    Partition,
    layout,
    pack_table,
    partitions,
)
from voicecard.errors import DeviceError
from voicecard.firmware.slots_log import Log
from voicecard.firmware.wire.sector import pack_marker

_KIB, _MIB = 1024, 1024 * 1024
_NAME_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
_NAME_LENGTH = 6
_NAMES = re.compile(rb"^([A-Z_]+) =", re.MULTILINE)
_LFS_ERR_IO = -5
_SLOTS = ("", "/b")  # folders of the two applications: FORMAT.md, Slots
_DISK_VERSION = 0x0002_0000  # littlefs 2.0: every MicroPython mounts it


def build_flash_image(
    path: Path,
    size_bytes: int = 16 * _MIB,
    card_name: str | None = None,
    seed: int | None = None,
    firmware: Path | None = None,
    compiled: bool = False,
    micropython: MicroPython | None = None,
    board: Board | None = None,
) -> None:
    """Write the image of a new card's flash. Without a name it gets a random one (`seed` makes it repeatable).

    `compiled`: modules as .mpy for the ESP32-S3. Without `micropython` its place is blank: the emulator needs none.
    `board`: what it is wired like; the default board if left out.
    Raises DeviceError if the flash is too small or the file cannot be written."""
    plan = layout(size_bytes)
    files = application_files(firmware or firmware_folder(), compiled, board)
    name = card_name or random_name(seed)
    part = path.with_name(path.name + ".part")
    try:
        with part.open("w+b") as file:
            _fill(file, b"\xff", size_bytes)
            if micropython:
                file.seek(0)
                file.write(with_flash_size(micropython.boot_loader, size_bytes))
                file.seek(FACTORY_AT)
                file.write(micropython.application)
            file.seek(TABLE_AT)
            file.write(pack_table(plan))
            by_label = {partition.label: partition for partition in plan}
            _write_application(_format(file, by_label["vfs"]), files)
            recordings = by_label["recordings"]
            file.seek(recordings.offset)
            _fill(file, _clean_sector(name), recordings.size)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise DeviceError(
            f"the flash image {path} cannot be written ({error.strerror}): make room or give another path"
        ) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def refresh_application(
    path: Path, firmware: Path | None = None, compiled: bool | None = None, board: Board | None = None
) -> None:
    """Bring the application in an existing image up to date; recordings, settings and other files stay as they are.

    `compiled`: as for a new image; None: as it was. `board`: what the card is wired like; None: its pin map stays.

    Raises DeviceError if the file is no image of a card's flash."""
    by_label = partitions(path)
    slots = by_label.get("slots")
    try:
        with path.open("r+b") as file:
            slot = _running_slot(file, slots)
            fs = _mount(file, by_label["vfs"])
            if compiled is None:
                compiled = _content(fs, slot + COMPILED) is not None
            files = application_files(firmware or firmware_folder(), compiled, board)
            _write_application(fs, files if board else _with_own_pins(fs, files, slot))
            _blank(file, slots)
            file.flush()
            os.fsync(file.fileno())
    except (LittleFSError, OSError) as error:
        raise DeviceError(
            f"the application in the flash image {path} cannot be updated ({error}): its recordings are untouched, "
            f"'voicecard rescue --image {path}' reads them"
        ) from error


def native_modules(path: Path) -> list[str]:
    """The modules in an image that are the chip's machine code: their paths without the ending."""
    with path.open("rb") as file:
        fs = _mount(file, partitions(path)["vfs"])
        files = [f"{folder.rstrip('/')}/{name}" for folder, _, names in fs.walk("/") for name in names]
        return [
            name[: -len(".mpy")] for name in files if name.endswith(".mpy") and is_chip_code(_content(fs, name) or b"")
        ]


def random_name(seed: int | None = None) -> str:
    """A name for a card: it says nothing about the hardware it is on."""
    choose = random.Random(seed).choice if seed is not None else secrets.choice
    return "".join(choose(_NAME_LETTERS) for _ in range(_NAME_LENGTH))


def _clean_sector(card_name: str) -> bytes:
    """A sector of a new card: erased once, and marked clean."""
    sector = bytearray(b"\xff" * SECTOR_BYTES)
    pack_marker(sector, 1, 0, 0, card_name)
    return bytes(sector)


def _fill(file: BinaryIO, pattern: bytes, size_bytes: int) -> None:
    """Write a pattern over and over; its length divides the size."""
    block = pattern * (64 * _KIB // len(pattern))
    whole, rest = divmod(size_bytes, len(block))
    for _ in range(whole):
        file.write(block)
    file.write(block[:rest])


class _FlashContext(UserContext):
    """The block device of littlefs-python over one partition of an image file."""

    def __init__(self, file: BinaryIO, partition: Partition) -> None:
        self._file = file
        self._start = partition.offset

    def read(self, cfg: object, block: int, off: int, size: int) -> bytearray:
        self._file.seek(self._start + block * SECTOR_BYTES + off)
        return bytearray(self._file.read(size))

    def prog(self, cfg: object, block: int, off: int, data: bytes) -> int:
        try:
            self._file.seek(self._start + block * SECTOR_BYTES + off)
            self._file.write(data)
        except OSError:
            return _LFS_ERR_IO  # an exception would be lost in littlefs
        return 0

    def erase(self, cfg: object, block: int) -> int:
        return self.prog(cfg, block, 0, b"\xff" * SECTOR_BYTES)

    def sync(self, cfg: object) -> int:
        self._file.flush()
        return 0


def _littlefs(file: BinaryIO, partition: Partition, disk_version: int) -> LittleFS:
    """The partition as MicroPython's esp32 port sees it, not mounted yet; `disk_version` 0: the newest."""
    return LittleFS(
        context=_FlashContext(file, partition),
        mount=False,
        block_size=SECTOR_BYTES,
        block_count=partition.size // SECTOR_BYTES,
        read_size=32,
        prog_size=32,
        cache_size=128,
        lookahead_size=32,
        disk_version=disk_version,
    )


def _format(file: BinaryIO, partition: Partition) -> LittleFS:
    fs = _littlefs(file, partition, _DISK_VERSION)
    fs.format()
    fs.mount()
    return fs


def _mount(file: BinaryIO, partition: Partition) -> LittleFS:
    fs = _littlefs(file, partition, 0)  # a card's own littlefs may have moved it on to 2.1
    fs.mount()
    return fs


def _write_application(fs: LittleFS, files: dict[str, bytes]) -> None:
    """Make the application's files those of `files`, in the first slot: remove what it no longer has, write only what differs."""
    for path in _application_paths(fs):
        if path not in files:
            fs.remove(path)  # first: there is no room for sources and compiled modules together
    for path, content in files.items():
        if _content(fs, path) != content:
            fs.makedirs(path.rsplit("/", 1)[0] or "/", exist_ok=True)
            with fs.open(path, "wb") as target:
                target.write(content)
    if fs.block_count * SECTOR_BYTES >= UPDATE_VFS_BYTES:
        for folder in ("/card", "/wire", "/lib"):
            fs.makedirs(_SLOTS[1] + folder, exist_ok=True)  # an update must change nothing in the root
    fs.unmount()


def _with_own_pins(fs: LittleFS, files: dict[str, bytes], slot: str) -> dict[str, bytes]:
    """The files with the pin map that the card has in that slot. Raises DeviceError if that lacks a pin that the application asks for."""
    own = _content(fs, slot + PINS)
    if own is None or PINS not in files:
        return files
    missing = set(_NAMES.findall(files[PINS])) - set(_NAMES.findall(own))
    if missing:
        raise DeviceError("the card's pin map is older than this program: say with --board which board it is")
    return files | {PINS: own}


def _content(fs: LittleFS, path: str) -> bytes | None:
    try:
        with fs.open(path, "rb") as source:
            return bytes(source.read())
    except FileNotFoundError:
        return None


def _running_slot(file: BinaryIO, slots: Partition | None) -> str:
    """The folder of the slot that the next start takes."""
    return _SLOTS[Log(_SlotsOnDisk(file, slots)).slot] if slots else ""


def _blank(file: BinaryIO, partition: Partition | None) -> None:
    if partition:
        file.seek(partition.offset)
        _fill(file, b"\xff", partition.size)


class _SlotsOnDisk:
    """The partition `slots` of an image, only to be read."""

    def __init__(self, file: BinaryIO, partition: Partition) -> None:
        self._file, self._start = file, partition.offset

    def readblocks(self, sector: int, buffer: bytearray, at: int) -> None:
        self._file.seek(self._start + sector * SECTOR_BYTES + at)
        self._file.readinto(buffer)  # type: ignore[attr-defined]

    def writeblocks(self, sector: int, data: bytes, at: int) -> None:
        """What only makes firm what is read needs no writing here."""


def _application_paths(fs: LittleFS) -> list[str]:
    """The files in the image that belong to the application and its libraries."""
    roots = (
        "/card/",
        "/wire/",
        "/b/",
        "/slots.",
        "/slots_log.",
        *(f"/lib/{name}{end}" for name in LIBRARIES for end in "/."),
    )
    paths = [f"{folder.rstrip('/')}/{name}" for folder, _, names in fs.walk("/") for name in names]
    return [path for path in paths if path.startswith(roots)]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
