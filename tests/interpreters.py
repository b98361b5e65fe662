"""The two MicroPython interpreters that firmware tests run on."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from voicecard.device.interpreter import micropython_command

ROOT = Path(__file__).parent.parent
MICROPYTHON32 = Path(os.environ.get("VOICECARD_MICROPYTHON32", ROOT / "build" / "micropython32" / "micropython32"))


@dataclass(frozen=True)
class Interpreter:
    name: str
    command: Callable[[], list[str]]
    path: Path | None = None

    def require(self) -> None:
        """Skip the test when this interpreter is not here; where skips are not allowed, fail."""
        if self.path is None or self.path.exists():
            return
        sentence = f"no 32-bit MicroPython at {self.path}: `make micropython32` fetches it on a Debian-like machine"
        if os.environ.get("VOICECARD_NO_SKIP"):
            pytest.fail(sentence)
        pytest.skip(sentence)


BITS64 = Interpreter("64-bit", lambda: micropython_command(None))
BITS32 = Interpreter("32-bit", lambda: [str(MICROPYTHON32)], MICROPYTHON32)
INTERPRETERS = (BITS64, BITS32)
