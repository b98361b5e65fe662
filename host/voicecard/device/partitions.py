"""The partition table of a card's flash, ESP-IDF's (Programming Guide, "Partition Tables"): entries of 32 bytes, an MD5 behind them."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from pathlib import Path

from voicecard.errors import DeviceError

SECTOR_BYTES = 4096
TABLE_AT, TABLE_BYTES = 0x8000, 0xC00
FACTORY_AT, FACTORY_BYTES = 0x10000, 0x1CE000  # MicroPython, of 1.7 MB
SLOTS_AT, SLOTS_BYTES = 0x1DE000, 2 * SECTOR_BYTES  # which application starts: FORMAT.md
_MIB = 1024 * 1024
_ENTRY_BYTES = 32
_ENTRY, _ENTRY_MAGIC, _MD5_MAGIC = "<HBBII16sI", 0x50AA, b"\xeb\xeb" + b"\xff" * 14
_APP, _DATA = 0, 1
_MAX_REGION_BYTES = 256 * _MIB  # more flash than any such chip addresses
_VFS_AT = 0x1E0000
_SMALL_VFS_BYTES = 704 * 1024  # on 4 MB: an application as sources takes 560 KiB in its blocks
UPDATE_VFS_BYTES = 1024 * 1024  # two of them, if they are compiled: one may be updated while the other runs


@dataclass(frozen=True, slots=True)
class Partition:
    """An entry of the partition table; offset and size in bytes."""

    label: str
    type: int
    subtype: int
    offset: int
    size: int


def layout(size_bytes: int) -> tuple[Partition, ...]:
    """The partitions of a flash of that size: recordings get what the others leave. Raises DeviceError below 4 MB."""
    if size_bytes < 4 * _MIB or size_bytes % SECTOR_BYTES:
        raise DeviceError(f"a card's flash cannot have {size_bytes} bytes: choose 4, 8 or 16 MB")
    vfs_bytes = UPDATE_VFS_BYTES if size_bytes > 4 * _MIB else _SMALL_VFS_BYTES
    recordings_at = _VFS_AT + vfs_bytes
    return (
        Partition("nvs", _DATA, 0x02, 0x9000, 0x6000),
        Partition("phy_init", _DATA, 0x01, 0xF000, 0x1000),
        Partition("factory", _APP, 0x00, FACTORY_AT, FACTORY_BYTES),
        Partition("slots", _DATA, 0x41, SLOTS_AT, SLOTS_BYTES),
        Partition("vfs", _DATA, 0x81, _VFS_AT, vfs_bytes),
        Partition("recordings", _DATA, 0x40, recordings_at, size_bytes - recordings_at),
    )


def partitions(path: Path) -> dict[str, Partition]:
    """The partitions of a flash image by label. Raises DeviceError if the file is no image of a card's flash."""
    table, size_bytes = _table_of(path)
    found = {partition.label: partition for partition in read_table(table)}
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
    found = {partition.label: partition for partition in read_table(table)}
    recordings = found.get("recordings")
    offset, size = (recordings.offset, recordings.size) if recordings else (0, size_bytes)
    size = min(size, size_bytes - offset) // SECTOR_BYTES * SECTOR_BYTES
    if size <= 0:
        raise DeviceError(f"the flash dump {path} ends before its recordings begin: read the whole flash")
    return offset, min(size, _MAX_REGION_BYTES)


def _table_of(path: Path) -> tuple[bytes, int]:
    """The bytes where a flash has its partition table, and the file's size."""
    try:
        with path.open("rb") as file:
            file.seek(TABLE_AT)
            return file.read(TABLE_BYTES), path.stat().st_size
    except OSError as error:
        raise DeviceError(f"the flash image {path} cannot be read ({error.strerror}): give another file") from error


def pack_table(plan: tuple[Partition, ...]) -> bytes:
    """The table as it lies in flash, 0xC00 bytes."""
    entries = b"".join(
        struct.pack(_ENTRY, _ENTRY_MAGIC, p.type, p.subtype, p.offset, p.size, p.label.encode(), 0) for p in plan
    )
    return (entries + _MD5_MAGIC + hashlib.md5(entries).digest()).ljust(TABLE_BYTES, b"\xff")


def read_table(table: bytes) -> list[Partition]:
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
