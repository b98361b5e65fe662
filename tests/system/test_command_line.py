"""The program as a person meets it: what it prints, and one clear sentence for whatever goes wrong."""

from __future__ import annotations

import json
import os
import pty
import resource
import subprocess
import sys
import threading
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import soundfile

from voicecard.device.emulate import EmulateOptions, running_card

Run = Callable[..., subprocess.CompletedProcess[str]]
TALK = "boot; tap rec; wait 5s; tap memo; wait 4s; tap rec; plug"


def sentence(done: subprocess.CompletedProcess[str], exit_code: int = 1) -> str:
    """The one sentence that a failed command says."""
    assert done.returncode == exit_code, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr and done.stdout == ""
    lines = [line for line in done.stderr.splitlines() if line.startswith("voicecard: ")]
    assert len(lines) == 1, done.stderr
    assert lines[0] == done.stderr.splitlines()[-1]
    return lines[0].removeprefix("voicecard: ")


@pytest.fixture
def card(conversation: Path) -> Iterator[str]:
    """The port of a card that holds one recording of nine seconds, for one visit."""
    with running_card(EmulateOptions(mic=conversation, script=TALK, flash_size_bytes=4 << 20)) as running:
        yield str(running.port())


def test_sync_list_show_and_export(voicecard: Run, tmp_path: Path, conversation: Path) -> None:
    link = tmp_path / "port"
    emulator = subprocess.Popen(
        [sys.executable, "-m", "voicecard", "emulate", "--mic", conversation, "--port-link", link, "--do", TALK],
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(link.exists)
        synced = json.loads(voicecard("sync", "--port", link, "--json").stdout)
        assert emulator.wait(20) == 0, "the emulator ends when the host lets go"
    finally:
        emulator.kill()
        emulator.wait()
    assert len(synced["new"]) == 1 and synced["not_transcribed"] == []
    (listed,) = json.loads(voicecard("ls", "--json").stdout)
    assert listed["id"] == synced["new"][0]
    shown = json.loads(voicecard("show", "latest", "--json").stdout)
    assert shown["transcript"]["backend"] == "pocketsphinx" and shown["sha256"] == listed["sha256"]
    assert "contract" in voicecard("show", listed["id"]).stdout
    assert listed["id"] in voicecard("ls").stdout
    out = tmp_path / "talk.wav"
    assert voicecard("export", "latest", "--format", "wav", "-o", out).returncode == 0
    assert soundfile.info(out).duration == pytest.approx(listed["length_s"], abs=0.001)
    assert voicecard("transcribe", listed["id"], "--backend", "pocketsphinx").returncode == 0
    assert not link.is_symlink(), "the link goes with the cable"


@contextmanager
def stranger(talk: Callable[[bytes], bytes]) -> Iterator[str]:
    """A port with something else behind it that answers each piece of input with what `talk` says."""
    master, slave = pty.openpty()
    tty.setraw(slave)

    def answer() -> None:
        try:
            while data := os.read(master, 4096):
                os.write(master, talk(data))
        except OSError:
            return

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    try:
        yield os.ttyname(slave)
    finally:
        os.close(slave)
        thread.join(5)
        os.close(master)


def test_no_card(voicecard: Run) -> None:
    assert "no card found" in sentence(voicecard("sync"))
    assert "no port" in sentence(voicecard("status", "--port", "/dev/nowhere"))
    assert json.loads(voicecard("devices", "--json").stdout) == []


@pytest.mark.parametrize("talk", [lambda data: b"", lambda data: data, lambda data: b">>> \r\n\x00\xff" * 50])
def test_a_port_that_is_something_else(voicecard: Run, talk: Callable[[bytes], bytes]) -> None:
    with stranger(talk) as port:
        assert "does not answer as a voicecard" in sentence(voicecard("status", "--port", port))


def test_a_file_is_no_port(voicecard: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("hello")
    assert "cannot be opened as a serial port" in sentence(voicecard("status", "--port", tmp_path / "file"))


def test_sound_that_is_none_and_words_that_mean_nothing(voicecard: Run, tmp_path: Path, conversation: Path) -> None:
    (tmp_path / "mic.wav").write_text("this is text")
    assert "cannot be read as audio" in sentence(voicecard("emulate", "--mic", tmp_path / "mic.wav", "--do", "boot"))
    assert "mic.flac" in sentence(voicecard("emulate", "--mic", tmp_path / "mic.flac", "--do", "boot"))
    assert "tpa" in sentence(voicecard("emulate", "--do", "boot; tpa rec"), 2)
    (tmp_path / "card.img").write_bytes(b"\xff" * 5000)
    assert "card.img" in sentence(voicecard("emulate", "--flash", tmp_path / "card.img", "--do", "boot"))


def test_ids_formats_and_places_that_do_not_exist(voicecard: Run, tmp_path: Path) -> None:
    assert "no recording 'latest'" in sentence(voicecard("show", "latest"))
    assert "no recording" in sentence(voicecard("export", "x", "-o", tmp_path / "x.wav"))
    assert "no recording" in sentence(voicecard("transcribe", "x"))
    assert voicecard("export", "x").returncode == 2
    assert voicecard("export", "x", "--format", "mp3", "-o", "x").returncode == 2
    assert voicecard("dance").returncode == 2
    (tmp_path / "file").write_text("")
    assert "file" in sentence(voicecard("ls", "--library", tmp_path / "file"))
    assert not (tmp_path / "x.wav").exists()


def test_a_full_disk_loses_nothing(voicecard: Run, tmp_path: Path, card: str) -> None:
    def small_files_only() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))

    done = voicecard("sync", "--port", card, "--no-transcribe", preexec_fn=small_files_only)
    assert "library" in sentence(done)
    assert [p.stat().st_size for p in tmp_path.rglob("*.part")] == [49_152], "whole sectors, for the next sync"
    empty = {p.name for p in (tmp_path / "library").rglob("*") if p.is_file() and not p.stat().st_size}
    assert empty <= {"library.lock"}


def test_a_damaged_recording_is_told_and_the_others_are_untouched(voicecard: Run, tmp_path: Path, card: str) -> None:
    assert voicecard("sync", "--port", card, "--no-transcribe").returncode == 0
    (original,) = tmp_path.rglob("card.vcr")
    data = original.read_bytes()
    original.write_bytes(data[: len(data) // 2 + 100])
    assert voicecard("export", "latest", "-o", tmp_path / "half.flac").returncode == 0
    assert 0 < soundfile.info(tmp_path / "half.flac").duration < 9
    original.write_bytes(b"\0" * 8192)
    assert "readable" in sentence(voicecard("export", "latest", "-o", tmp_path / "none.flac"))
    assert not (tmp_path / "none.flac").exists()


def test_debug_shows_the_traceback(voicecard: Run) -> None:
    done = voicecard("show", "latest", "--debug")
    assert done.returncode == 1 and "Traceback" in done.stderr and "no recording" in done.stderr


def wait_for(condition: Callable[[], bool], within_s: float = 30) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
