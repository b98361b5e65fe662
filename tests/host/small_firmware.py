"""A card of 4 MB that runs a few lines of one's own as its main.py."""

from __future__ import annotations

from pathlib import Path

from voicecard.device.emulate import EmulateOptions


def card_that_runs(folder: Path, main: str, script: str | None = "wait 100ms", **more: object) -> EmulateOptions:
    """Options for the emulator; its firmware is made in `folder`."""
    firmware = folder / "firmware"
    for name in ("card", "wire"):
        (firmware / name).mkdir(parents=True, exist_ok=True)
    (firmware / "boot.py").write_text("")
    (firmware / "main.py").write_text(main)
    settings = {"seed": 1, "flash_size_bytes": 4 << 20, **more}
    return EmulateOptions(script=script, firmware=firmware, **settings)  # type: ignore[arg-type]
