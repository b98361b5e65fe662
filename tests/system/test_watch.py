"""`voicecard sync --watch`: whatever card comes, and however it goes, its recordings arrive, and the program waits for the next."""

from __future__ import annotations

import configparser
import dataclasses
import json
import os
import plistlib
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from voicecard.device import registry, watch
from voicecard.device.emulate import EmulateOptions, running_card
from voicecard.device.find import Candidate
from voicecard.library.archive import Library

Run = Callable[..., subprocess.CompletedProcess[str]]
TALK = "tap rec; wait 4s; tap rec"
UNITS = Path(watch.__file__).parent.parent / "units"
SOON_S = 30.0


class Watcher:
    """`voicecard sync --watch` in the background; what it says is waited for, line by line."""

    def __init__(self, home: Path, *arguments: str) -> None:
        self.said: list[str] = []
        self._news = threading.Condition()
        self._heard = 0
        self.process = subprocess.Popen(
            [sys.executable, "-m", "voicecard", "sync", "--watch", *arguments],
            env={**os.environ, "HOME": str(home), "XDG_CACHE_HOME": str(home), "VOICECARD_HOME": str(home / "library")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def hear(self, pattern: str, within_s: float = SOON_S) -> str:
        """Wait until it says, after what was heard last, a line that the pattern matches."""

        def found() -> str | None:
            for number in range(self._heard, len(self.said)):
                if re.search(pattern, self.said[number]):
                    self._heard = number + 1
                    return self.said[number]
            return None

        with self._news:
            line = self._news.wait_for(found, within_s)
        assert line, f"not heard: {pattern!r} in {self.said[self._heard :]}, after {self.said[: self._heard]}"
        return line

    def end(self, number: int) -> str:
        """Send a signal; returns what it printed as its result once it has ended well."""
        self.process.send_signal(number)
        assert self.process.wait(10) == 0, self.said
        self._listener.join(10)
        assert not any("Traceback" in line for line in self.said), self.said
        assert self.process.stdout is not None
        return self.process.stdout.read()

    def _listen(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._news:
                self.said.append(line.rstrip("\n"))
                self._news.notify_all()


@contextmanager
def watcher(home: Path, *arguments: str) -> Iterator[Watcher]:
    waiting = Watcher(home, *arguments)
    try:
        waiting.hear("waiting for a card")
        yield waiting
    finally:
        waiting.process.kill()
        waiting.process.wait()
        for stream in (waiting.process.stdout, waiting.process.stderr):
            if stream is not None:
                stream.close()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SOON_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where both the emulated cards and the program have their registry and library."""
    monkeypatch.setattr(registry, "_folder", lambda: tmp_path / "voicecard" / "emulators")
    return tmp_path


def card(mic: Path, script: str, name: str, flash: Path | None = None) -> EmulateOptions:
    return EmulateOptions(mic=mic, script=script, card_name=name, flash=flash, flash_size_bytes=4 << 20)


def test_each_card_that_comes_is_synced_and_ctrl_c_ends_it_well(home: Path, conversation: Path) -> None:
    with watcher(home, "--json") as program:
        with running_card(card(conversation, f"boot; {TALK}; plug", "aaaaaa")) as first:
            program.hear("aaaaaa: 1 new recording .*safe to unplug")
            first.report()
        program.hear("aaaaaa-1: .*transcribed")
        program.hear("aaaaaa has left")
        with running_card(card(conversation, f"boot; {TALK}; {TALK}; plug", "bbbbbb")):
            program.hear("bbbbbb: 2 new recordings .*safe to unplug")
            program.hear("bbbbbb-2: .*transcribed")
            program.hear("bbbbbb has left")
        synced = [json.loads(line) for line in program.end(signal.SIGINT).splitlines()]
    assert [(s["card"], len(s["new"]), s["not_transcribed"]) for s in synced] == [("aaaaaa", 1, []), ("bbbbbb", 2, [])]
    with Library(home / "library") as library:
        assert len(library.entries()) == 3 and all(entry.transcript() for entry in library.entries())


def test_a_card_that_comes_back_on_another_port_is_found_again_and_sigterm_ends_it_well(
    home: Path, conversation: Path
) -> None:
    """Between both visits it records once more, as a board that was unplugged."""
    script = f"boot; {TALK}; plug; unplug; {TALK}; plug"
    with watcher(home, "--no-transcribe") as program, running_card(card(conversation, script, "aaaaaa")) as running:
        ports = [running.port()]
        program.hear("aaaaaa: 1 new recording .*safe to unplug")
        ports.append(running.port())
        program.hear("aaaaaa: 1 new recording .*1 already here: safe to unplug")
        running.report()
        assert ports[0] != ports[1]
        program.end(signal.SIGTERM)
    with Library(home / "library") as library:
        assert sorted(entry.id for entry in library.entries()) == ["aaaaaa-1", "aaaaaa-2"]


def test_a_card_that_stays_is_visited_once(home: Path, conversation: Path) -> None:
    with (
        watcher(home, "--no-transcribe") as program,
        running_card(EmulateOptions(card_name="aaaaaa", flash_size_bytes=4 << 20)),
    ):
        program.hear("aaaaaa: 0 new recordings: safe to unplug")
        with running_card(card(conversation, "boot; plug", "bbbbbb")):
            program.hear("bbbbbb: 0 new")
        program.hear("bbbbbb has left")  # so that many looks have been taken since
        program.end(signal.SIGTERM)
    assert len([line for line in program.said if "card aaaaaa" in line]) == 1


def test_a_card_that_dies_in_the_middle_is_told_and_the_next_one_synced(home: Path, conversation: Path) -> None:
    flash = home / "card.img"
    with watcher(home, "--no-transcribe") as program:
        long = f"boot; tap rec; wait 10s; tap rec; {TALK}; plug"
        dying = dataclasses.replace(card(conversation, long, "aaaaaa", flash), usb_bytes_per_s=20_000)
        with running_card(dying) as running:
            running.port()
            arriving = home / "library" / "incoming"
            wait_for(lambda: any(part.stat().st_size for part in arriving.glob("*.part")))
            running.stop()
        program.hear("is gone")
        with running_card(card(conversation, "boot; plug", "aaaaaa", flash)):
            program.hear("aaaaaa: .*safe to unplug")
        program.end(signal.SIGTERM)
    with Library(home / "library") as library:
        assert sorted(entry.id for entry in library.entries()) == ["aaaaaa-1", "aaaaaa-2"]


def test_ended_in_the_middle_of_a_sync_it_ends_well_and_the_next_one_goes_on(home: Path, conversation: Path) -> None:
    script = "boot; tap rec; wait 10s; tap rec; plug; unplug; plug"
    slow = dataclasses.replace(card(conversation, script, "aaaaaa"), usb_bytes_per_s=10_000)
    with running_card(slow) as running:
        with watcher(home, "--no-transcribe") as program:
            arriving = home / "library" / "incoming"
            wait_for(lambda: any(part.stat().st_size for part in arriving.glob("*.part")))
            program.end(signal.SIGTERM)
        assert not any("safe to unplug" in line for line in program.said)
        assert running.port() != running.port()
        with watcher(home, "--no-transcribe") as program:
            program.hear("aaaaaa: 1 new recording .*safe to unplug")
            program.end(signal.SIGTERM)


def test_a_library_that_cannot_be_is_told_at_once(voicecard: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = voicecard("sync", "--watch", "--library", tmp_path / "file")
    assert done.returncode == 1 and "Traceback" not in done.stderr and len(done.stderr.splitlines()) == 1


class Desk:
    """Ports that come and go as a list says, one entry a look, and the visits they got; a look takes a second."""

    def __init__(self, *looks: str, fails: int = 0) -> None:
        self._looks = looks
        self._fails = fails
        self.second = -1
        self.visits: list[tuple[int, str]] = []
        self.left: list[tuple[int, str]] = []

    def run(self) -> Desk:
        with pytest.raises(StopIteration):
            watch.watch(self._look, self._visit, self._on_left, lambda: float(self.second), lambda _: None)
        return self

    def _look(self) -> list[Candidate]:
        self.second += 1
        if self.second == len(self._looks):
            raise StopIteration
        return [
            Candidate(f"/dev/{name[0]}", "usb", True, (int(name[1:]),)) for name in self._looks[self.second].split()
        ]

    def _visit(self, candidate: Candidate) -> bool:
        self.visits.append((self.second, self._name(candidate)))
        self._fails -= 1
        return self._fails < 0

    def _on_left(self, candidate: Candidate) -> None:
        self.left.append((self.second, self._name(candidate)))

    @staticmethod
    def _name(candidate: Candidate) -> str:
        return f"{candidate.port[-1]}{candidate.made[0]}"


def test_a_port_is_visited_once_for_each_time_it_appears() -> None:
    desk = Desk("", "a1", "a1", *["a1 b1"] * 40, "b1", "a2 b1", "a2 b1", "a2", "").run()
    assert desk.visits == [(2, "a1"), (4, "b1"), (45, "a2")]
    assert desk.left == [(43, "a1"), (46, "b1"), (47, "a2")]


def test_a_board_that_was_away_for_less_than_a_look_has_come_anew() -> None:
    assert Desk("a1", "a1", "a2", "a2", "a2").run().visits == [(1, "a1"), (3, "a2")]


def test_a_port_that_does_not_settle_is_not_visited() -> None:
    assert Desk("a1", "", "a2", "a3", "a4").run().visits == []


def test_what_failed_is_tried_again_in_half_a_minute_and_no_sooner() -> None:
    assert Desk(*["a1"] * 100, fails=2).run().visits == [(1, "a1"), (31, "a1"), (61, "a1")]


def test_log_prints_what_the_card_noted_since_its_start(voicecard: Run, conversation: Path) -> None:
    script = "boot; tap rec; wait 4s; cut; boot; plug; unplug; plug"
    with running_card(card(conversation, script, "aaaaaa")) as running:
        printed = voicecard("log", "--port", running.port()).stdout.splitlines()
        listed = json.loads(voicecard("log", "--port", running.port(), "--json").stdout)
    assert printed == listed and any(
        re.fullmatch(r"\d+ recording 1: closed after a power cut", line) for line in printed
    )
    with running_card(card(conversation, "boot; plug", "bbbbbb")) as running:
        done = voicecard("log", "--port", running.port())
    assert (done.returncode, done.stdout) == (0, "") and "bbbbbb has noted nothing" in done.stderr


def test_udev_prints_a_rules_file(voicecard: Run) -> None:
    done = voicecard("udev")
    assert done.returncode == 0 and all(line[:1] == "#" or "uaccess" in line for line in done.stdout.splitlines())


def test_the_units_start_a_watch_that_the_program_understands(voicecard: Run) -> None:
    service = configparser.ConfigParser(interpolation=None)
    service.read(UNITS / "voicecard-sync.service")
    agent = plistlib.loads((UNITS / "dev.voicecard.sync.plist").read_bytes())
    shell, option, line = agent["ProgramArguments"]
    assert (shell, option) == ("/bin/sh", "-c") and agent["Label"] == "dev.voicecard.sync"
    for words in shlex.split(service["Service"]["ExecStart"]), shlex.split(line)[1:-1]:
        assert words[0].endswith("/.local/bin/voicecard")
        assert voicecard(*words[1:], "--help").returncode == 0 and words[1:] == ["sync", "--watch"]
