"""The firmware with its modules compiled for an interpreter of this machine, as a card has them compiled for its chip."""

from __future__ import annotations

import shutil
from pathlib import Path

from voicecard.device.application import PINS, compile_module, firmware_folder


def compiled_firmware(folder: Path, architecture: str) -> Path:
    """Make it in a new folder; returns that."""
    source = firmware_folder().resolve()
    for package in ("card", "wire"):
        for path in (source / package).rglob("*.py"):
            name = path.relative_to(source)
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if f"/{name}" == PINS:
                shutil.copy(path, target)
            else:
                module = compile_module(str(name), path.read_bytes(), architecture)
                target.with_suffix(".mpy").write_bytes(module)
    for file in ("boot.py", "main.py"):
        shutil.copy(source / file, folder)
    return folder
