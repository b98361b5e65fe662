"""Copies of the firmware for tests that change it, or want it compiled."""

from __future__ import annotations

import shutil
from pathlib import Path

from voicecard.device.application import PINS, compile_module, firmware_folder

PACKAGES, MODULES = ("card", "wire"), ("slots.py", "slots_log.py")


def copied_firmware(folder: Path) -> Path:
    """The application's sources in a new folder; returns that."""
    source = firmware_folder().resolve()
    for package in PACKAGES:
        shutil.copytree(source / package, folder / package)
    for file in ("boot.py", "main.py", *MODULES):
        shutil.copy(source / file, folder)
    return folder


def compiled_firmware(folder: Path, architecture: str) -> Path:
    """The same, its modules compiled for an interpreter of this machine, as a card has them compiled for its chip."""
    copied_firmware(folder)
    modules = [
        *(folder / module for module in MODULES),
        *(path for package in PACKAGES for path in (folder / package).rglob("*.py")),
    ]
    for path in modules:
        name = path.relative_to(folder)
        if f"/{name}" != PINS:
            path.with_suffix(".mpy").write_bytes(compile_module(str(name), path.read_bytes(), architecture))
            path.unlink()
    return folder
