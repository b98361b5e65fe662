"""MicroPython for the ESP32-S3 as it is published: boot loader, partition table and program in one file, checked before use.

Source: Espressif's esptool documentation, "Firmware Image Format", and esp_app_desc of the ESP-IDF."""

from __future__ import annotations

import hashlib
import re
import struct
from dataclasses import dataclass
from functools import reduce
from operator import xor
from pathlib import Path

from voicecard.device.partitions import FACTORY_AT, FACTORY_BYTES, TABLE_AT
from voicecard.errors import DeviceError

OLDEST = (1, 26, 0)  # the oldest MicroPython that the application runs on
_MAX_BYTES = 64 * 1024 * 1024
_MAGIC, _CHECKSUM_SEED = 0xE9, 0xEF
_HEADER = "<BBBBIB3xHBHH4xB"  # magic, segments, mode, size and frequency, entry, WP pin, chip, revisions, hash appended
_HEADER_BYTES, _SEGMENT_BYTES, _DIGEST_BYTES = 24, 8, 32
_SIZE_AT = 3  # its upper half is the flash size: log2 of the megabytes
_CHIPS = {
    0: "ESP32",
    2: "ESP32-S2",
    5: "ESP32-C3",
    9: "ESP32-S3",
    12: "ESP32-C2",
    13: "ESP32-C6",
    16: "ESP32-H2",
    18: "ESP32-P4",
}
_S3 = 9
_BANNER = re.compile(rb"MicroPython v(\d+)\.(\d+)\.(\d+)([^\0]{0,60})")
_OCTAL = b"Octal-SPIRAM"


@dataclass(frozen=True, slots=True)
class MicroPython:
    """A checked image. `version` without a "v"; `has_octal_psram`: it is the build for boards with 8 MB of PSRAM or more."""

    boot_loader: bytes
    application: bytes
    version: str
    has_octal_psram: bool


def read_micropython(path: Path) -> MicroPython:
    """Read and check an image of MicroPython. Raises DeviceError if it is cut short, damaged, for another chip or too old."""
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES)
    except OSError as error:
        raise DeviceError(
            f"the MicroPython image {path} cannot be read ({error.strerror}): give another file"
        ) from error
    boot_loader = _checked(data[:TABLE_AT], f"the boot loader in {path}")
    application = _checked(data[FACTORY_AT:], f"the program in {path}")
    if len(application) > FACTORY_BYTES:
        raise DeviceError(
            f"the MicroPython in {path} has {len(application)} bytes, the card's partition for it {FACTORY_BYTES}: "
            f"use the official image for a generic ESP32-S3"
        )
    return MicroPython(boot_loader, application, _version(application, path), _OCTAL in application)


def with_flash_size(boot_loader: bytes, size_bytes: int) -> bytes:
    """The boot loader with that flash size in its header, and its digest renewed: it refuses tables that reach further."""
    megabytes = size_bytes // (1024 * 1024)
    if megabytes.bit_count() != 1:
        raise DeviceError(f"no flash has {size_bytes} bytes: choose 4, 8 or 16 MB")
    changed = bytearray(boot_loader[:-_DIGEST_BYTES])
    changed[_SIZE_AT] = (megabytes.bit_length() - 1) << 4 | changed[_SIZE_AT] & 0x0F
    return bytes(changed) + hashlib.sha256(changed).digest()


def flash_size(boot_loader: bytes) -> int:
    """The flash size in a header, in bytes."""
    return 1024 * 1024 << (boot_loader[_SIZE_AT] >> 4)


def _checked(data: bytes, what: str) -> bytes:
    """The image at the beginning of `data`, from header to digest."""
    if len(data) < _HEADER_BYTES or data[0] != _MAGIC:
        raise DeviceError(
            f"{what} is none: give the .bin file of micropython.org for ESP32_GENERIC_S3, not the .uf2 or .app-bin"
        )
    _, segments, _, _, _, _, chip, _, _, _, has_digest = struct.unpack_from(_HEADER, data)
    if chip != _S3:
        name = _CHIPS.get(chip, f"chip number {chip}")
        raise DeviceError(f"{what} is for {name}, not for the ESP32-S3: give the image for ESP32_GENERIC_S3")
    if not has_digest:
        raise DeviceError(f"{what} has no digest, so nothing tells whether it is whole: give an official image")
    at, checksum = _HEADER_BYTES, _CHECKSUM_SEED
    for _ in range(segments):
        if at + _SEGMENT_BYTES > len(data):
            raise DeviceError(f"{what} is cut short: load the file again")
        size = struct.unpack_from("<I", data, at + 4)[0]
        at += _SEGMENT_BYTES
        checksum = reduce(xor, data[at : at + size], checksum)
        at += size
    end = at // 16 * 16 + 16  # the checksum is the last byte of a line of 16
    if end + _DIGEST_BYTES > len(data):
        raise DeviceError(f"{what} is cut short: load the file again")
    if data[end - 1] != checksum or data[end : end + _DIGEST_BYTES] != hashlib.sha256(data[:end]).digest():
        raise DeviceError(f"{what} is damaged: its digest is another; load the file again")
    return data[: end + _DIGEST_BYTES]


def _version(application: bytes, path: Path) -> str:
    """What its banner says."""
    found = _BANNER.search(application)
    if found is None:
        raise DeviceError(
            f"the program in {path} is no MicroPython: give the .bin file of micropython.org for ESP32_GENERIC_S3"
        )
    version = tuple(int(part) for part in found.groups()[:3])
    text = ".".join(str(part) for part in version)
    if version < OLDEST:
        oldest = ".".join(str(part) for part in OLDEST[:2])
        raise DeviceError(f"MicroPython {text} in {path} is too old: the card needs {oldest} or newer")
    return text
