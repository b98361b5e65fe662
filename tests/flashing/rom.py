"""A board in download mode, for the real esptool: the chip's ROM loader, and the flasher stub once that has been uploaded.

Source: Espressif's esptool documentation, "Serial Protocol". The flash is NOR, as the card's is."""

from __future__ import annotations

import hashlib
import os
import pty
import select
import struct
import threading
import tty
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

ESP32_S3, ESP32_C3 = 9, 5
MIB = 1024 * 1024
_SPI_CMD, _SPI_USR2, _SPI_W0 = 0x60002000, 0x60002020, 0x60002058
_EFUSE_BLOCK1 = 0x60007044
_READ_JEDEC_ID = 0x9F
_SECTOR_BYTES = 4096
_PSRAM = {0: 0, 8: 1, 2: 2}  # MB: what the fuses say
(FLASH_BEGIN, FLASH_DATA, FLASH_END, MEM_BEGIN, MEM_END, MEM_DATA, SYNC, WRITE_REG, READ_REG) = range(0x02, 0x0B)
SPI_SET_PARAMS, SPI_ATTACH, CHANGE_BAUDRATE = 0x0B, 0x0D, 0x0F
DEFL_BEGIN, DEFL_DATA, DEFL_END, FLASH_MD5, SECURITY_INFO = 0x10, 0x11, 0x12, 0x13, 0x14
ERASE_FLASH, ERASE_REGION, READ_FLASH = 0xD0, 0xD1, 0xD2


@dataclass
class Board:
    """`flash`: what is on it; `goes_at`: after so many written bytes the cable is pulled."""

    flash: bytearray = field(default_factory=lambda: bytearray(b"\xff" * 16 * MIB))
    chip: int = ESP32_S3
    psram_mb: int = 8
    goes_at: int | None = None
    written: list[tuple[int, int]] = field(default_factory=list)  # (address, bytes) of each region
    port: str = ""

    def __enter__(self) -> Self:
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self.port = os.ttyname(self._slave)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._stub = False
        self._registers: dict[int, int] = {}
        self._written_bytes = 0
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join()
        for fd in (self._master, self._slave):
            with suppress(OSError):
                os.close(fd)

    def _serve(self) -> None:
        with suppress(OSError):
            for packet in self._packets():
                if len(packet) < 8:
                    continue
                direction, op, size, _ = struct.unpack_from("<BBHI", packet)
                if direction == 0 and len(packet) == 8 + size:
                    self._answer(op, packet[8:])
                if self.goes_at is not None and self._written_bytes >= self.goes_at:
                    os.close(self._master)
                    return

    def _packets(self) -> Iterator[bytes]:
        pending = b""
        while not self._stop.is_set():
            if select.select([self._master], [], [], 0.05)[0]:
                pending += os.read(self._master, 65536)
            *whole, pending = pending.split(b"\xc0")
            yield from (_unescaped(packet) for packet in whole if packet)

    def _send(self, packet: bytes) -> None:
        data = b"\xc0" + packet.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc") + b"\xc0"
        while data:
            data = data[os.write(self._master, data) :]

    def _answer(self, op: int, data: bytes) -> None:
        value, body, after = self._do(op, data)
        status = b"\0\0" if self._stub else b"\0\0\0\0"
        for _ in range(8 if op == SYNC else 1):
            self._send(struct.pack("<BBHI", 1, op, len(body) + len(status), value) + body + status)
        for packet in after:
            self._send(packet)

    def _do(self, op: int, data: bytes) -> tuple[int, bytes, list[bytes]]:
        """(value, body, packets of their own that follow)."""
        words = struct.unpack(f"<{len(data) // 4}I", data[: len(data) // 4 * 4])
        if op == SYNC:
            return 0 if self._stub else 0x20120707, b"", []
        if op == SECURITY_INFO:
            return 0, struct.pack("<I8BII", 0, *bytes(8), self.chip, 0), []
        if op == READ_REG:
            return self._register(words[0]), b"", []
        if op == WRITE_REG:
            self._registers[words[0]] = words[1]
        elif op == MEM_END:
            self._stub = True
            return 0, b"", [b"OHAI"]
        elif op in (FLASH_BEGIN, DEFL_BEGIN):
            self._at, self._size = words[3], words[0]
            if op == DEFL_BEGIN or words[0]:
                self.written.append((words[3], words[0]))
            self._inflate = zlib.decompressobj()
            end = (words[3] + words[0] + _SECTOR_BYTES - 1) // _SECTOR_BYTES * _SECTOR_BYTES
            start = words[3] // _SECTOR_BYTES * _SECTOR_BYTES
            self.flash[start:end] = b"\xff" * (end - start)
        elif op in (FLASH_DATA, DEFL_DATA):
            self._program(data[16:] if op == FLASH_DATA else self._inflate.decompress(data[16:]))
        elif op == FLASH_MD5:
            digest = hashlib.md5(self.flash[words[0] : words[0] + words[1]])
            return 0, digest.digest() if self._stub else digest.hexdigest().encode(), []
        elif op == READ_FLASH:
            region = bytes(self.flash[words[0] : words[0] + words[1]])
            pieces = [region[at : at + words[2]] for at in range(0, len(region), words[2])]
            return 0, b"", [*pieces, hashlib.md5(region).digest()]
        return 0, b"", []

    def _program(self, data: bytes) -> None:
        data = data[: max(0, self._size)]
        old = int.from_bytes(self.flash[self._at : self._at + len(data)])
        self.flash[self._at : self._at + len(data)] = (old & int.from_bytes(data)).to_bytes(len(data))
        self._at += len(data)
        self._size -= len(data)
        self._written_bytes += len(data)

    def _register(self, address: int) -> int:
        if address == _SPI_CMD:
            return 0  # done
        if address == _SPI_W0 and self._registers.get(_SPI_USR2, 0) & 0xFF == _READ_JEDEC_ID:
            return (len(self.flash).bit_length() - 1) << 16 | 0x40EF  # Winbond, log2 of the bytes
        if address == _EFUSE_BLOCK1 + 16:
            return _PSRAM[self.psram_mb] << 3 | 1 << 7
        return self._registers.get(address, 0)


def _unescaped(packet: bytes) -> bytes:
    return packet.replace(b"\xdb\xdc", b"\xc0").replace(b"\xdb\xdd", b"\xdb")
