"""The library's commands as a person uses them, on recordings that came in as files."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def told(voicecard: Run, conversation: Path) -> Callable[..., str]:
    """What a command prints, all of it, of a library that has one imported recording."""

    def run(*arguments: object, code: int = 0) -> str:
        done = voicecard(*arguments)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    run("import", conversation, "--recorded-at", "2026-10-01T14:30", "--no-transcribe")
    return run


def test_a_file_comes_in_is_transcribed_found_named_and_thrown_away(told: Callable[..., str], tmp_path: Path) -> None:
    assert "import-1  2026-10-01 14:30  0:59" in told("ls")
    told("transcribe", "latest")
    found = told("search", "contract", "--since", "2026-10-01", "--until", "2026-10-01")
    assert found.startswith("import-1  2026-10-01 14:30:0") and "contract with your company" in found
    assert "nothing found" in told("search", "contract", "--since", "2026-10-02")
    told("rename", "latest", "Talk: the contract")
    told("tag", "latest", "work", "#q3")
    told("tag", "latest", "q3", "--remove")
    assert "Talk: the contract #work" in told("ls")
    assert json.loads(told("stats", "--json"))["months"][0]["month"] == "2026-10"
    assert told("open", "latest").strip() == json.loads(told("ls", "--json"))[0]["folder"]
    told("reindex")
    assert "Talk: the contract" in told("search", "#work", "--tag", "work")
    told("rm", "latest")
    assert "import-1" in told("trash") and "is empty" in told("ls")
    told("restore", "import-1")
    assert "import-1" in told("ls")


def test_exports_go_where_they_are_told(told: Callable[..., str], tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    told("rename", "latest", "../../out: of it")
    told("transcribe", "latest")
    told("export", "latest", "-o", target, "--format", "srt")
    told("export", "latest", "--obsidian", target)
    names = sorted(path.name for path in target.iterdir())
    assert [name.rpartition(".")[2] for name in names] == ["flac", "md", "srt"]
    assert all(name.startswith("2026-10-01 14.30 ") for name in names)
    assert "exists already" in told("export", "latest", "-o", target, "--format", "srt", code=2)
    assert "say where to" in told("export", "latest", code=2)


def test_play_hands_the_sound_to_a_player_that_is_there(
    told: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    player = tmp_path / "bin" / "mpv"
    player.parent.mkdir()
    player.write_text('#!/bin/sh\nprintf "%s\\n" "$@" > "$0.heard"\n')
    player.chmod(player.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{player.parent}{os.pathsep}/usr/bin{os.pathsep}/bin")
    told("play", "latest", "--from", "0:41.5")
    heard = player.with_name("mpv.heard").read_text().splitlines()
    assert "--start=41.5" in heard and heard[-1].endswith("audio.flac")
    assert "nothing is to be heard" in told("play", "latest", "--from", "2:00", code=2)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "there is no player" in told("play", "latest", code=1)


def test_one_bad_file_does_not_keep_the_others_out(
    told: Callable[..., str], conversation: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.mp3"
    bad.write_text("no sound")
    said = told("import", bad, conversation, "--no-transcribe", code=1)
    assert "bad.mp3: the file is no sound" in said and "is in the library already, as import-1" in said
