"""host/README.md names every field that a command prints as JSON, and none that no command prints."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from interpreters import ROOT
from voicecard.device.emulate import EmulateOptions, running_card

Run = Callable[..., subprocess.CompletedProcess[str]]
SCRIPT = "boot; tap rec; wait 8s; tap memo; until mic-end; tap rec; wait 1s; plug"
ONLY = "only "  # begins the description of a field that the commands below need not print


def documented() -> dict[str, dict[str, str]]:
    """By command the fields of its table and what is said of them."""
    text = (ROOT / "host" / "README.md").read_text(encoding="utf-8")
    chapter = re.search(r"^## JSON$(.*?)^## ", text, re.MULTILINE | re.DOTALL)
    assert chapter
    tables: dict[str, dict[str, str]] = {}
    for line in chapter[1].splitlines():
        if heading := re.fullmatch(r"### (.+)", line):
            fields: dict[str, str] = {}
            tables |= dict.fromkeys(re.findall(r"`([^`]+)`", heading[1]), fields)
        elif row := re.fullmatch(r"\| (`.+?`) \| (.+) \|", line):
            fields |= dict.fromkeys(re.findall(r"`([^`]+)`", row[1]), row[2])
    return tables


def helps() -> dict[str, str]:
    """By command its help, which host/README.md also holds."""
    text = (ROOT / "host" / "README.md").read_text(encoding="utf-8")
    return dict(re.findall(r"^### `voicecard (.+?)`\n\n```\n(.+?)\n```$", text, re.MULTILINE | re.DOTALL))


def paths(value: object, path: str = "") -> Iterator[str]:
    """Of every field below: `a.b[].c`."""
    if isinstance(value, dict):
        for name, below in value.items():
            yield f"{path}.{name}".lstrip(".")
            yield from paths(below, f"{path}.{name}".lstrip("."))
    elif isinstance(value, list):
        for below in value:
            yield from paths(below, path + "[]")


@pytest.fixture
def printed(voicecard: Run, conversation: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """By command what it prints of a card with one recording, and of the library that has it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))  # where a running emulator is announced
    answers: dict[str, object] = {}

    def ask(command: str, *arguments: object) -> None:
        done = voicecard(*command.split(), *arguments, "--json")
        assert done.returncode in (0, 1) and done.stdout, (command, done.stderr)
        answers[command] = json.loads(done.stdout)

    flash = tmp_path / "card.img"
    with running_card(EmulateOptions(mic=conversation, script=SCRIPT, flash=flash)) as card:
        ask("sync", "--port", str(card.port()))
    with running_card(EmulateOptions(flash=flash)) as card:
        port = str(card.port())
        for command in ("status", "doctor", "log", "removed", "settings", "verify", "conformance"):
            ask(command, "--port", port)
        ask("selftest", "--unattended", "--port", port)
        ask("devices")
    ask("rescue", "--output", tmp_path / "rescued.img", "--image", flash)
    reference = tmp_path / "said.txt"
    reference.write_text("Good morning.", encoding="utf-8")
    ask("evaluate", "latest", "--reference", reference)
    ask("config get", "transcribe.backend")
    ask("show", "latest")
    ask("ls")
    ask("vad", conversation)
    ask("search", "contract")
    ask("speakers", "latest")
    ask("stats")
    ask("import", conversation, "--no-transcribe")
    ask("jobs")
    assert voicecard("rm", "latest").returncode == 0
    ask("trash")
    for command in ("backends", "config list", "key list"):
        ask(command)
    return answers


def test_every_command_that_prints_json_is_in_the_chapter() -> None:
    assert {command for command, usage in helps().items() if "--json" in usage} == documented().keys()


def test_every_field_that_is_printed_as_json_is_documented(printed: dict[str, object]) -> None:
    tables = documented()
    assert printed.keys() <= tables.keys()
    for command, answer in printed.items():
        seen = set(paths(answer))
        patterns = {field: re.compile("([^.]+)".join(map(re.escape, field.split("NAME")))) for field in tables[command]}
        lacking = {path for path in seen if not any(pattern.fullmatch(path) for pattern in patterns.values())}
        assert not lacking, f"{command}: host/README.md does not name {sorted(lacking)}"
        idle = {
            field
            for field, pattern in patterns.items()
            if not tables[command][field].startswith(ONLY) and not any(map(pattern.fullmatch, seen))
        }
        assert not idle, f"{command}: host/README.md names {sorted(idle)}, which is not printed"
