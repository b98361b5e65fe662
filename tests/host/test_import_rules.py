"""Who may import whom, as DESIGN has it: the layers hold only as long as something checks them."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from interpreters import ROOT

CARD = ROOT / "firmware" / "card"
HOST = ROOT / "host" / "voicecard"
PARTS_OF_CARD = ("capture", "store", "link", "ui")


def imports(path: Path) -> Iterator[str]:
    """Absolute names of all modules that a file imports, also within functions."""
    package = path.parent
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                top = ROOT / "firmware" if CARD.parent in path.parents else ROOT / "host"
                parent = package.parents[node.level - 2] if node.level > 1 else package
                base = ".".join([*parent.relative_to(top).parts, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*.py") if (HOST / "firmware") not in p.parents)


def offenders(folder: Path, forbidden: str) -> list[str]:
    """Files below `folder` that import what the pattern names."""
    return [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in files(folder)
        for name in imports(path)
        if re.match(rf"({forbidden})(\.|$)", name)
    ]


def test_only_the_board_module_names_hardware() -> None:
    found = {line.split()[0] for line in offenders(CARD, "machine|esp32")}
    assert found == {"firmware/card/board.py"}


@pytest.mark.parametrize("part", PARTS_OF_CARD)
def test_the_parts_of_the_card_do_not_know_each_other(part: str) -> None:
    others = "|".join(rf"card\.{other}" for other in (*PARTS_OF_CARD, "app", "session", "board") if other != part)
    assert offenders(CARD / part, others) == []


def test_wire_imports_nothing_of_ours() -> None:
    assert offenders(ROOT / "firmware" / "wire", "card|emulator|voicecard|micropython") == []


def test_the_emulator_replaces_modules_and_nothing_above_them() -> None:
    assert offenders(ROOT / "firmware" / "emulator", "card|wire|voicecard") == []
    assert offenders(CARD, "emulator") == []


@pytest.mark.parametrize(
    ("part", "strangers"),
    [
        ("library", "device|transcribe|insight|hearing|jobs|sync|importing|cli"),
        ("device", "library|transcribe|insight|hearing|jobs|sync|importing|cli"),
        ("transcribe", "library|device|insight|hearing|jobs|sync|importing|cli"),
        ("hearing", "library|transcribe|insight|jobs|sync|importing|cli"),
        ("desk", "library|transcribe|insight|importing|hearing|jobs|sync|cli"),
        ("insight", "library|device|transcribe|hearing|jobs|sync|importing|cli"),
        ("importing", "device|insight|hearing|jobs|sync|cli"),
        ("jobs", "device|hearing|sync|cli"),
    ],
)
def test_the_parts_of_the_host_do_not_know_each_other(part: str, strangers: str) -> None:
    assert offenders(HOST / part, rf"voicecard\.({strangers})") == []


@pytest.mark.parametrize("module", ["config.py", "keys.py", "errors.py"])
def test_what_every_part_of_the_host_may_use_knows_none_of_them(module: str) -> None:
    assert [name for name in imports(HOST / module) if re.match(r"voicecard\.(?!config|keys|errors)", name)] == []


def test_the_program_starts_without_what_only_some_commands_need() -> None:
    heavy = "httpx|httpx2|httpcore2|numpy|openai|starlette|uvicorn|faster_whisper|wyoming|tomlkit|keyring|soundfile|soxr|jiwer"
    code = "import sys, voicecard.cli.app; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "voicecard" in loaded and set(loaded).isdisjoint(heavy.split("|"))


def test_the_host_takes_only_formats_from_the_firmware() -> None:
    assert offenders(HOST, r"voicecard\.firmware\.(?!wire|slots_log)\w+") == []


def test_firmware_prints_nothing_since_standard_output_is_the_links() -> None:
    printing = [
        path
        for path in files(CARD)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert printing == []
