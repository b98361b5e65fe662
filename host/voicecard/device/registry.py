"""Which emulated cards are plugged in right now: one small file each, in the user's cache folder."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_MAX_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class RunningEmulator:
    """An emulated card that a host can talk to: the emulator's process, its serial port, its flash image if kept."""

    pid: int
    port: str
    flash: Path | None


def running() -> list[RunningEmulator]:
    """The emulated cards that are plugged in, oldest first. Entries whose process is gone are removed."""
    found = []
    for entry in sorted(_folder().glob("*.json"), key=_modified):
        emulator = _read(entry)
        if emulator is not None and _alive(emulator):
            found.append(emulator)
        elif emulator is not None:
            entry.unlink(missing_ok=True)
    return found


@contextmanager
def announced(port: Path, flash: Path | None) -> Iterator[None]:
    """Keep an entry for a card at `port` while the block runs."""
    folder = _folder()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    entry = folder / f"{uuid.uuid4().hex}.json"
    written = entry.with_suffix(".part")
    try:
        fields = {"pid": os.getpid(), "port": str(port), "flash": str(flash.resolve()) if flash else None}
        written.write_text(json.dumps(fields))
        written.replace(entry)
        yield
    finally:
        written.unlink(missing_ok=True)
        entry.unlink(missing_ok=True)


def _folder() -> Path:
    """In the user's cache: a runtime folder is not there in every session, and all of them shall find the card."""
    import platformdirs

    return platformdirs.user_cache_path("voicecard") / "emulators"


def _read(entry: Path) -> RunningEmulator | None:
    """The entry in a file; None for one that is none: it is not ours to remove."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        with entry.open("rb") as file:
            fields = json.loads(file.read(_MAX_BYTES))
        flash = fields["flash"]
        return RunningEmulator(int(fields["pid"]), str(fields["port"]), Path(flash) if flash else None)
    return None


def _alive(emulator: RunningEmulator) -> bool:
    if emulator.pid <= 0 or not Path(emulator.port).exists():
        return False
    try:
        os.kill(emulator.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _modified(entry: Path) -> float:
    try:
        return entry.stat().st_mtime
    except OSError:
        return 0.0
