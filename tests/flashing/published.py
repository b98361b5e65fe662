"""An image of MicroPython as micropython.org lays it out, with noise for its programs: none can be fetched in a test.

The real esptool reads it as it reads the official one (test_flash_image.py)."""

from __future__ import annotations

import hashlib
import random
import struct
from functools import reduce
from operator import xor

S3, C3 = 9, 5
BOOT_LOADER_BYTES, PROGRAM_BYTES = 18_000, 60_000


def esp_image(segments: list[tuple[int, bytes]], chip: int = S3, size_code: int = 2) -> bytes:
    """Espressif's image format: header, segments, checksum, SHA-256. `size_code`: log2 of the megabytes of flash."""
    header = struct.pack(
        "<BBBBIB3sHBHH4sB", 0xE9, len(segments), 2, size_code << 4 | 0xF, 0x40378000, 0xEE, bytes(3), chip, 0, 0, 99, bytes(4), 1
    )  # fmt: skip
    body = b"".join(struct.pack("<II", address, len(data)) + data for address, data in segments)
    image = (header + body).ljust((len(header + body)) // 16 * 16 + 15, b"\0")
    image += bytes([reduce(xor, b"".join(data for _, data in segments), 0xEF)])
    return image + hashlib.sha256(image).digest()


def micropython(version: str = "1.26.1", chip: int = S3, octal: bool = True, seed: int = 0) -> bytes:
    """Boot loader at 0, a table at 0x8000, the program at 0x10000."""
    noise = random.Random(seed)
    boot_loader = esp_image([(0x3FCE2810, noise.randbytes(BOOT_LOADER_BYTES // 4 * 4))], chip)
    board = "Generic ESP32S3 module" + (" with Octal-SPIRAM" if octal else "")
    banner = f"MicroPython v{version} on 2025-09-11\0{board} with ESP32S3\0".encode()
    rodata = noise.randbytes(4000) + b"\0" + banner.ljust(len(banner) // 4 * 4 + 3, b"\0")
    program = esp_image([(0x3C0D0020, rodata), (0x42000020, noise.randbytes(PROGRAM_BYTES // 4 * 4))], chip)
    return boot_loader.ljust(0x8000, b"\xff") + b"\xff" * 0x8000 + program
