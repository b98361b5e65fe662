"""Jobs through the whole program, with a transcription server on a socket: killed, doubled, refused, and never lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import soundfile
from serving import Asked, Scripted

Run = Callable[..., subprocess.CompletedProcess[str]]
KEY = "sk-a-secret-that-nobody-may-see"
RECORDINGS, KILLS = 6, 12
WORK_S = 0.05


class Server:
    """Counts what it is asked for, by the sound that it gets; each takes a moment."""

    def __init__(self) -> None:
        self.times: dict[bytes, int] = {}
        self.refuse: tuple[int, dict[str, str]] | None = None
        self._lock = threading.Lock()

    def answer(self, asked: Asked) -> tuple[int, Any, dict[str, str]]:
        with self._lock:
            self.times[asked.file] = self.times.get(asked.file, 0) + 1
        time.sleep(WORK_S)
        if self.refuse:
            status, headers = self.refuse
            return status, {"error": {"message": f"no, {KEY}"}}, headers
        return 200, {"text": "yes", "segments": [{"start": 0, "end": 1, "text": "yes"}], "language": "english"}, {}


@pytest.fixture
def server() -> Iterator[tuple[Server, str]]:
    server = Server()
    with Scripted(server.answer).running() as address:
        yield server, f"{address}/v1"


@pytest.fixture
def program(voicecard: Run, server: tuple[Server, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The program with a library of some recordings that wait, and a server to transcribe them."""
    monkeypatch.setenv("VOICECARD_OPENAI_KEY", KEY)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    for name, value in (("transcribe.backend", "openai"), ("openai.base_url", server[1]), ("openai.parallel", "1")):
        assert voicecard("config", "set", name, value).returncode == 0
    random = np.random.default_rng(3)
    files = []
    for number in range(RECORDINGS):
        files.append(tmp_path / f"{number}.wav")
        soundfile.write(files[-1], random.normal(0, 0.1, 16000), 16000)
    done = voicecard("import", *files, "--no-transcribe")
    assert done.returncode == 0, done.stderr
    return voicecard


def environment(home: Path) -> dict[str, str]:
    """That of the fixture `voicecard`, for a process that is not waited for."""
    folders = dict.fromkeys(("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"), str(home))
    more = {"VOICECARD_HOME": str(home / "library"), "VOICECARD_CONFIG": ""}
    return {**os.environ, **folders, **more, "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}


def jobs(program: Run, *options: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(program("jobs", "--json", *options).stdout)
    return found


def transcripts(program: Run) -> list[str | None]:
    return [entry["transcript_backend"] for entry in json.loads(program("ls", "--json").stdout)]


def test_killed_at_any_instant_everything_is_done_in_the_end_and_once(
    program: Run, server: tuple[Server, str], tmp_path: Path
) -> None:
    assert {job["state"] for job in jobs(program)} == {"held"}, "--no-transcribe holds them back"
    random = Random("kills")
    command = [sys.executable, "-m", "voicecard", "retry", "--held"]
    for _ in range(KILLS):
        with subprocess.Popen(
            command, env=environment(tmp_path), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            time.sleep(0.2 + random.random() * 0.7)
            process.send_signal(signal.SIGKILL)
    done = program("retry", "--held")
    assert done.returncode == 0, done.stderr
    assert transcripts(program) == ["openai"] * RECORDINGS
    assert jobs(program) == [] and {job["state"] for job in jobs(program, "--all")} <= {"done"}
    assert len(server[0].times) == RECORDINGS
    assert sum(server[0].times.values()) <= RECORDINGS + KILLS, "only what was cut is asked for again"
    for folder in (tmp_path / "library" / "recordings").glob("*/*"):
        assert not [path.name for path in folder.iterdir() if path.name.endswith((".new", ".part"))]


def test_an_import_killed_at_any_instant_brings_each_file_in_once(
    voicecard: Run, tmp_path: Path, conversation: Path
) -> None:
    sound, rate = soundfile.read(conversation, dtype="int16")
    files = [tmp_path / f"talk {number}.flac" for number in range(RECORDINGS)]
    for number, path in enumerate(files):
        soundfile.write(path, sound[number * 1000 :], rate)
    random = Random("imports")
    command = [sys.executable, "-m", "voicecard", "import", *files, "--no-transcribe"]
    for _ in range(KILLS):
        with subprocess.Popen(
            command, env=environment(tmp_path), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            time.sleep(0.3 + random.random() * 0.6)
            process.send_signal(signal.SIGKILL)
    for path in files[1:]:
        path.unlink(missing_ok=True)
    voicecard("import", files[0], "--no-transcribe")
    done = voicecard("retry")
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    found = json.loads(voicecard("ls", "--json").stdout)
    titles = sorted(entry["title"] for entry in found)
    assert len(titles) == len(set(titles)) and "talk 0" in titles, "what was accepted is here, once"
    assert {job["state"] for job in jobs(voicecard)} == {"held"} and len(jobs(voicecard)) == len(found)
    assert list((tmp_path / "library" / "incoming").iterdir()) == []


def test_what_is_no_sound_is_told_and_forgotten(voicecard: Run, tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.mp3" for number in range(5)]
    for path in files[:4]:
        path.write_text(f"no sound {path}")
    soundfile.write(files[4], np.zeros(16000), 16000, format="WAV")
    done = voicecard("import", *files, tmp_path / "nowhere.wav", "--no-transcribe", "--json")
    told = json.loads(done.stdout)
    assert done.returncode == 1 and len(told["new"]) == 1, "four that are none do not keep the fifth from it"
    assert sorted(told["failed"]) == sorted(map(str, [*files[:4], tmp_path / "nowhere.wav"]))
    assert "0.mp3: the file is no sound that can be read" in done.stderr
    assert {job["stage"] for job in jobs(voicecard, "--all")} == {"import", "transcribe"}
    assert list((tmp_path / "library" / "incoming").iterdir()) == []


def test_two_processes_at_once_do_nothing_twice(program: Run, server: tuple[Server, str]) -> None:
    said: list[str] = []
    both = [threading.Thread(target=lambda: said.append(program("retry", "--held").stderr)) for _ in range(2)]
    for each in both:
        each.start()
    for each in both:
        each.join()
    program("retry")
    assert transcripts(program) == ["openai"] * RECORDINGS
    assert list(server[0].times.values()) == [1] * RECORDINGS
    assert not any("Traceback" in each for each in said)


def test_refusals_wait_or_are_given_up_and_the_key_is_nowhere(
    program: Run, server: tuple[Server, str], tmp_path: Path
) -> None:
    server[0].refuse = 503, {"Retry-After": "3600"}
    assert program("retry", "--held", "--limit", "1").returncode == 1
    (job,) = [job for job in jobs(program) if job["state"] == "failed"]
    assert "answered 503" in job["error"] and "tried again by itself" in job["advice"] and job["tries"] == 1
    server[0].refuse = 401, {}
    assert program("retry", "--limit", "1").returncode == 1
    assert {job["state"] for job in jobs(program)} >= {"given up"}
    shown = program("jobs")
    server[0].refuse = None
    assert program("retry").returncode == 0
    assert transcripts(program) == ["openai"] * RECORDINGS
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert KEY.encode() not in written and KEY not in shown.stdout + shown.stderr


def test_ctrl_c_leaves_the_rest_waiting(program: Run, server: tuple[Server, str], tmp_path: Path) -> None:
    server[0].refuse = None
    with subprocess.Popen(
        [sys.executable, "-m", "voicecard", "retry", "--held"],
        env=environment(tmp_path),
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        deadline = time.monotonic() + 20
        while not server[0].times and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        assert process.stderr
        said = process.stderr.read()
        assert "stopped: what is not done waits" in said and "Traceback" not in said
    assert {job["state"] for job in jobs(program)} == {"waiting"}
    assert program("retry").returncode == 0 and transcripts(program) == ["openai"] * RECORDINGS
