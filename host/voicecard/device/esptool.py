"""Espressif's esptool, run as a program of its own: what chip is there, reading its flash, writing it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from voicecard.device.permission import refusal
from voicecard.errors import DeviceError

Progress = Callable[[str, float, float], None]
DOWNLOAD_MODE = "hold BOOT on the board, press RESET shortly, let BOOT go, and try again"
CHIP = "ESP32-S3"
_BAUD = "921600"
_MIB = 1024 * 1024
_CHIP_TYPE = re.compile(r"^Chip type:\s+(ESP32[-A-Z0-9]*)", re.MULTILINE)
_FLASH_SIZE = re.compile(r"^Detected flash size:\s+(\d+)MB", re.MULTILINE)
_PSRAM = re.compile(r"Embedded PSRAM (\d+)MB")
_PERCENT = re.compile(r"(\d+)\.\d%")
_FAILURE = re.compile(r"(?:A fatal error occurred|Error): (.+)")
_BUSY = ("port is busy", "Resource busy", "Could not exclusively lock")
_LAST_LINES = 40


@dataclass(frozen=True, slots=True)
class Chip:
    """What esptool found. `psram_mb` is what the chip's own fuses say; memory beside the chip they do not know."""

    name: str
    flash_bytes: int
    psram_mb: int


class Esptool:
    """The board in download mode on a port; the flash of one that runs is reached by a reset over the port's lines.

    `native_usb`: the port is the chip's own, so that leaving takes the watchdog. Every method raises DeviceError."""

    def __init__(self, port: str, native_usb: bool = False) -> None:
        self.port = port
        self._after = "watchdog-reset" if native_usb else "hard-reset"

    def identify(self) -> Chip:
        """Reset the board into download mode, and look at it; it stays there."""
        said = self._run(["flash-id"], before="default-reset", failed="does not answer as an ESP32-S3")
        chip, flash, psram = _CHIP_TYPE.search(said), _FLASH_SIZE.search(said), _PSRAM.search(said)
        if chip is None or flash is None:
            raise DeviceError(f"esptool does not recognise the chip on {self.port} or its flash: {DOWNLOAD_MODE}")
        return Chip(chip[1], int(flash[1]) * _MIB, int(psram[1]) if psram else 0)

    def read(self, offset: int, size_bytes: int, on_progress: Progress | None = None) -> bytes:
        with tempfile.TemporaryDirectory(prefix="voicecard-") as folder:
            target = Path(folder, "flash.bin")
            command = ["read-flash", hex(offset), hex(size_bytes), str(target)]
            self._run(command, failed="stopped answering while it was read", name="reading", on_progress=on_progress)
            return target.read_bytes()

    def write(self, pieces: Iterable[tuple[int, bytes]], on_progress: Progress | None = None) -> None:
        """Write each piece at its offset and verify it, then start the board."""
        with tempfile.TemporaryDirectory(prefix="voicecard-") as folder:
            command = ["write-flash"]
            for offset, content in pieces:
                piece = Path(folder, f"{offset:08x}.bin")
                piece.write_bytes(content)
                command += [hex(offset), str(piece)]
            self._run(
                command,
                after=self._after,
                failed="went away while it was written",
                name="writing",
                on_progress=on_progress,
            )

    def _run(
        self,
        arguments: Sequence[str],
        *,
        failed: str,
        before: str = "no-reset",
        after: str = "no-reset",
        name: str = "",
        on_progress: Progress | None = None,
    ) -> str:
        """Run one command to its end; what it printed."""
        options = ["--port", self.port, "--baud", _BAUD, "--before", before, "--after", after]
        command = [sys.executable, "-m", "esptool", *options, *arguments]
        said: list[str] = []
        environment = os.environ | {"PYTHONUNBUFFERED": "1", "NO_COLOR": "1", "COLUMNS": "120"}
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=environment, text=True,
            errors="replace",
        ) as process:  # fmt: skip
            assert process.stdout is not None
            piece = 0
            for line in process.stdout:
                said.append(line)
                percent = _PERCENT.search(line)
                if percent and on_progress:
                    on_progress(f"{name} {piece + 1}", float(percent[1]), 100)
                    piece += percent[1] == "100"
        if process.returncode:
            raise self._failure("".join(said[-_LAST_LINES:]), failed)
        return "".join(said)

    def _failure(self, said: str, failed: str) -> DeviceError:
        if not Path(self.port).exists():
            return DeviceError(f"there is no port {self.port} (any more): plug the board in; {DOWNLOAD_MODE}")
        if not os.access(self.port, os.R_OK | os.W_OK):
            return DeviceError(refusal(self.port))
        if any(words in said for words in _BUSY):
            return DeviceError(f"another program has {self.port} open: close it, and try again")
        reasons = _FAILURE.findall(said)
        reason = f" ({reasons[-1].strip().rstrip('.')})" if reasons else ""
        error = DeviceError(f"the board on {self.port} {failed}{reason}: {DOWNLOAD_MODE}")
        error.add_note(f"esptool said:\n{said}")
        return error
