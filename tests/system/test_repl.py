"""`voicecard repl`: a card's owner gets MicroPython's prompt by mpremote, and pays with no recording for it."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from voicecard.device.client import CardLink
from voicecard.device.emulate import EmulateOptions, RunningCard, running_card
from voicecard.library.archive import Library
from voicecard.sync import sync

Run = Callable[..., subprocess.CompletedProcess[str]]
RECORDED = "boot; tap rec; wait 1s; tap rec; "
RECORDING = "boot; tap rec; wait 1s; "
STAYS = "plug; wait 5min"  # in real time: the cable stays where it is while the card starts again
CTRL_X = b"\x18"


@pytest.fixture(autouse=True)
def _own_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.fixture(params=["usb", "stdio"])
def options(request: pytest.FixtureRequest, tmp_path: Path, conversation: Path) -> Callable[..., EmulateOptions]:
    def make(script: str, **more: object) -> EmulateOptions:
        fixed = {"mic": conversation, "flash": tmp_path / "card.img", "carrier": request.param}
        return EmulateOptions(script=script, **fixed, **more)  # type: ignore[arg-type]

    return make


def told(port: str, code: str) -> str:
    """What the prompt there answers to mpremote."""
    command = [sys.executable, "-m", "mpremote", "connect", port, "resume", "exec", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    return done.stdout


def kept(card: RunningCard, library: Path) -> list[tuple[str | None, float]]:
    """End reason and length of each recording that comes into a library."""
    with Library(library) as shelf, CardLink.open(str(card.port())) as link:
        report = sync(link, shelf)
        assert not report.failed and not report.open
        return [(entry.end_reason, entry.length_s) for entry in shelf.entries()]


def test_the_prompt_is_mpremotes_and_the_recordings_stay(
    voicecard: Run, options: Callable[..., EmulateOptions], tmp_path: Path
) -> None:
    with running_card(options(RECORDED + STAYS, realtime=True)) as card:
        done = voicecard("repl", "--port", card.port())
        assert done.returncode == 0, done.stderr
        assert "records nothing until it starts again" in done.stderr
        at_prompt = done.stdout.strip()
        assert Path(at_prompt) == card.port()
        assert told(at_prompt, "import os; print(1 + 1, 'card' in os.listdir('/'))") == "2 True\n"
    with running_card(options("boot; plug")) as card:
        assert [reason for reason, _ in kept(card, tmp_path / "again")] == ["key"]


def test_a_recording_that_runs_is_ended_only_by_a_word(
    voicecard: Run, options: Callable[..., EmulateOptions], tmp_path: Path
) -> None:
    with running_card(
        options(RECORDING + "plug; wait 1s; unplug; plug; wait 1s; unplug; " + STAYS, realtime=True)
    ) as card:
        refused = voicecard("repl", "--port", card.port())
        assert (refused.returncode, refused.stdout) == (2, "")
        assert "is recording: end that with its key, or add --yes" in refused.stderr
        port = card.port()
        with CardLink.open(str(port)) as link:
            assert link.status()["state"] == "recording"
        done = voicecard("repl", "--yes", "--port", card.port())
        assert done.returncode == 0, done.stderr
        assert "2" in told(done.stdout.strip(), "print(2)")
    with running_card(options("boot; plug")) as card:
        ((reason, length_s),) = kept(card, tmp_path / "again")
        assert reason == "host" and length_s > 3


def test_the_key_memo_leads_there_too_and_the_next_start_is_an_ordinary_one(
    options: Callable[..., EmulateOptions], tmp_path: Path
) -> None:
    with running_card(options("boot; hold memo 2s; plug")) as card:
        assert told(str(card.port()), "print(6 * 7)") == "42\n"
    with running_card(options(RECORDED + "plug")) as card:
        assert len(kept(card, tmp_path / "again")) == 1


def test_on_a_terminal_it_asks_and_then_shows_the_prompt(options: Callable[..., EmulateOptions]) -> None:
    with running_card(options(RECORDING + "plug; wait 1s; unplug; " + STAYS, realtime=True)) as card:
        said, code = conversation_with(card, (b"[y/N]", b"n\r"))
        assert "end the recording?" in said and code == 1
        said, code = conversation_with(card, (b"[y/N]", b"y\r"), (b">>> ", b"print(6 * 7)\r"), (b"42\r\n>>> ", CTRL_X))
        assert code == 0, said


def conversation_with(card: RunningCard, *moves: tuple[bytes, bytes]) -> tuple[str, int]:
    """Run `voicecard repl` on a terminal, typing each answer when its question has come; (what was said, exit code)."""
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "voicecard", "repl", "--port", str(card.port())]
    said, deadline = b"", time.monotonic() + 60
    with subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True) as process:
        os.close(slave)
        seen = 0
        for question, answer in moves:
            while question not in said[seen:]:
                assert select.select([master], [], [], max(0.0, deadline - time.monotonic()))[0], said
                try:
                    said += os.read(master, 65536)
                except OSError:  # it has ended, and its terminal with it
                    raise AssertionError(f"it ended before {question!r}: {said!r}") from None
            seen = len(said)
            os.write(master, answer)
        while process.poll() is None and time.monotonic() < deadline:
            if select.select([master], [], [], 0.1)[0]:
                try:
                    said += os.read(master, 65536)
                except OSError:  # its end of the terminal is closed
                    break
        process.wait(10)
    os.close(master)
    return said.decode(errors="replace"), process.returncode
