"""Flash images of a card: partition table, the application on littlefs, and recordings sectors ready for use.

The partition table is ESP-IDF's (Programming Guide, "Partition Tables"): entries of 32 bytes, an MD5 behind them."""

from __future__ import annotations

import hashlib
import os
import random
import secrets
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO

from littlefs import LittleFS, LittleFSError
from littlefs.context import UserContext

from voicecard.errors import DeviceError
from voicecard.firmware.wire.sector import pack_marker

SECTOR_BYTES = 4096
_KIB, _MIB = 1024, 1024 * 1024
_TABLE_AT, _TABLE_BYTES, _ENTRY_BYTES = 0x8000, 0xC00, 32
_ENTRY, _ENTRY_MAGIC, _MD5_MAGIC = "<HBBII16sI", 0x50AA, b"\xeb\xeb" + b"\xff" * 14
_APP, _DATA = 0, 1
_MAX_REGION_BYTES = 256 * _MIB  # more flash than any such chip addresses
_VFS_BYTES = 512 * _KIB  # three times the application
_NAME_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
_NAME_LENGTH = 6
_APPLICATION = ("boot.py", "main.py", "card", "wire")
_LIBRARIES = ("adafruit_ssd1306", "adafruit_bus_device")
_LFS_ERR_IO = -5
_DISK_VERSION = 0x0002_0000  # littlefs 2.0: every MicroPython mounts it


@dataclass(frozen=True, slots=True)
class Partition:
    """An entry of the partition table; offset and size in bytes."""

    label: str
    type: int
    subtype: int
    offset: int
    size: int


def firmware_folder() -> Path:
    """The firmware that this program carries."""
    return Path(__file__).parents[1] / "firmware"


def layout(size_bytes: int) -> tuple[Partition, ...]:
    """The partitions of a flash of that size: recordings get what the others leave. Raises DeviceError below 4 MB."""
    if size_bytes < 4 * _MIB or size_bytes % SECTOR_BYTES:
        raise DeviceError(f"a card's flash cannot have {size_bytes} bytes: choose 4, 8 or 16 MB")
    recordings_at = 2 * _MIB + _VFS_BYTES
    return (
        Partition("nvs", _DATA, 0x02, 0x9000, 0x6000),
        Partition("phy_init", _DATA, 0x01, 0xF000, 0x1000),
        Partition("factory", _APP, 0x00, 0x10000, 0x1F0000),
        Partition("vfs", _DATA, 0x81, 2 * _MIB, _VFS_BYTES),
        Partition("recordings", _DATA, 0x40, recordings_at, size_bytes - recordings_at),
    )


def partitions(path: Path) -> dict[str, Partition]:
    """The partitions of a flash image by label. Raises DeviceError if the file is no image of a card's flash."""
    table, size_bytes = _table_of(path)
    found = {partition.label: partition for partition in _read_table(table)}
    whole = all(partition.offset + partition.size <= size_bytes for partition in found.values())
    if not whole or not {"vfs", "recordings"} <= found.keys():
        raise DeviceError(
            f"the file {path} is no (whole) image of a card's flash: give another file, or a name that is free"
        )
    return found


def recordings_region(path: Path) -> tuple[int, int]:
    """(offset, bytes) of the recordings in a flash dump, also in a short one; without a partition table the whole file counts.

    Raises DeviceError if the file cannot be read or holds no sector."""
    table, size_bytes = _table_of(path)
    found = {partition.label: partition for partition in _read_table(table)}
    recordings = found.get("recordings")
    offset, size = (recordings.offset, recordings.size) if recordings else (0, size_bytes)
    size = min(size, size_bytes - offset) // SECTOR_BYTES * SECTOR_BYTES
    if size <= 0:
        raise DeviceError(f"the flash dump {path} ends before its recordings begin: read the whole flash")
    return offset, min(size, _MAX_REGION_BYTES)


def build_flash_image(
    path: Path,
    size_bytes: int = 16 * _MIB,
    card_name: str | None = None,
    seed: int | None = None,
    firmware: Path | None = None,
) -> None:
    """Write the image of a new card's flash. Without a name it gets a random one (`seed` makes it repeatable).

    Raises DeviceError if the flash is too small or the file cannot be written."""
    plan = layout(size_bytes)
    files = application_files(firmware or firmware_folder())
    name = card_name or random_name(seed)
    part = path.with_name(path.name + ".part")
    try:
        with part.open("w+b") as file:
            _fill(file, b"\xff", size_bytes)
            file.seek(_TABLE_AT)
            file.write(_pack_table(plan))
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


def refresh_application(path: Path, firmware: Path | None = None) -> None:
    """Bring the application in an existing image up to date; recordings, settings and other files stay as they are.

    Raises DeviceError if the file is no image of a card's flash."""
    vfs = partitions(path)["vfs"]
    files = application_files(firmware or firmware_folder())
    try:
        with path.open("r+b") as file:
            _write_application(_mount(file, vfs), files)
            file.flush()
            os.fsync(file.fileno())
    except (LittleFSError, OSError) as error:
        raise DeviceError(
            f"the application in the flash image {path} cannot be updated ({error}): its recordings are untouched, "
            f"'voicecard rescue --image {path}' reads them"
        ) from error


def application_files(firmware: Path) -> dict[str, bytes]:
    """All that the card runs, by path on its file system: the firmware, and Adafruit's driver from its package."""
    found: dict[str, bytes] = {}
    for name in _APPLICATION:
        found.update(_sources(firmware / name, f"/{name}"))
    for name in _LIBRARIES:
        spec = find_spec(name)
        if spec is None or spec.origin is None:
            raise DeviceError(f"the display's driver '{name}' is not installed: install adafruit-circuitpython-ssd1306")
        origin = Path(spec.origin)
        source = origin.parent if origin.name == "__init__.py" else origin
        found.update(_sources(source, f"/lib/{source.name}"))
    return found


def random_name(seed: int | None = None) -> str:
    """A name for a card: it says nothing about the hardware it is on."""
    choose = random.Random(seed).choice if seed is not None else secrets.choice
    return "".join(choose(_NAME_LETTERS) for _ in range(_NAME_LENGTH))


def _sources(source: Path, target: str) -> Iterator[tuple[str, bytes]]:
    if source.is_file():
        yield target, source.read_bytes()
    for file in sorted(source.rglob("*.py")):
        yield f"{target}/{file.relative_to(source).as_posix()}", file.read_bytes()


def _table_of(path: Path) -> tuple[bytes, int]:
    """The bytes where a flash has its partition table, and the file's size."""
    try:
        with path.open("rb") as file:
            file.seek(_TABLE_AT)
            return file.read(_TABLE_BYTES), path.stat().st_size
    except OSError as error:
        raise DeviceError(f"the flash image {path} cannot be read ({error.strerror}): give another file") from error


def _pack_table(plan: tuple[Partition, ...]) -> bytes:
    entries = b"".join(
        struct.pack(_ENTRY, _ENTRY_MAGIC, p.type, p.subtype, p.offset, p.size, p.label.encode(), 0) for p in plan
    )
    return (entries + _MD5_MAGIC + hashlib.md5(entries).digest()).ljust(_TABLE_BYTES, b"\xff")


def _read_table(table: bytes) -> list[Partition]:
    """The entries of a table; none if its MD5 is missing or wrong."""
    found: list[Partition] = []
    for at in range(0, len(table) - _ENTRY_BYTES + 1, _ENTRY_BYTES):
        if table[at : at + 16] == _MD5_MAGIC:
            return found if table[at + 16 : at + 32] == hashlib.md5(table[:at]).digest() else []
        magic, kind, subtype, offset, size, label, _ = struct.unpack_from(_ENTRY, table, at)
        if magic != _ENTRY_MAGIC:
            break
        found.append(Partition(label.split(b"\0")[0].decode("ascii", "replace"), kind, subtype, offset, size))
    return []


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
    """Make the application's files those of `files`: write only what differs, remove what it no longer has."""
    for path, content in files.items():
        if _content(fs, path) != content:
            fs.makedirs(path.rsplit("/", 1)[0] or "/", exist_ok=True)
            with fs.open(path, "wb") as target:
                target.write(content)
    for path in _application_paths(fs):
        if path not in files:
            fs.remove(path)
    fs.unmount()


def _content(fs: LittleFS, path: str) -> bytes | None:
    try:
        with fs.open(path, "rb") as source:
            return bytes(source.read())
    except FileNotFoundError:
        return None


def _application_paths(fs: LittleFS) -> list[str]:
    """The files in the image that belong to the application and its libraries."""
    roots = ("/card/", "/wire/", *(f"/lib/{name}/" for name in _LIBRARIES))
    paths = [f"{folder.rstrip('/')}/{name}" for folder, _, names in fs.walk("/") for name in names]
    return [path for path in paths if path.startswith(roots)]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
