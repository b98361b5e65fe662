"""The emulator as a whole: small firmwares run on it, a host talks to them, and nothing stays behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import serial
import soundfile
from PIL import Image
from small_firmware import card_that_runs

from interpreters import INTERPRETERS, Interpreter
from voicecard.device import registry
from voicecard.device.emulate import EmulateOptions, emulate, running_card
from voicecard.device.emulation_report import Notice
from voicecard.device.image import build_flash_image
from voicecard.device.partitions import partitions
from voicecard.errors import DeviceError, UsageError, VoicecardError

MIB = 1024 * 1024
Options = Callable[..., EmulateOptions]

ECHO = """
import sys, asyncio
async def echo():
    stdin = asyncio.StreamReader(sys.stdin.buffer)
    while True:
        sys.stdout.buffer.write(await stdin.readexactly(1))
asyncio.run(echo())
"""
SHOUT = """
import sys, time
while sys.stdin.buffer.read(1):
    start = time.ticks_ms()
    written = sys.stdout.buffer.write(bytes(1_000_000))
    print(written < 1_000_000, 490 <= time.ticks_diff(time.ticks_ms(), start) < 1500)
"""
RECORDS = """
import esp32, machine, os, time
(flash,) = esp32.Partition.find(1, label="recordings")
pin = machine.Pin
key = pin(1, pin.IN, pin.PULL_UP)
mic = machine.I2S(0, sck=pin(5), ws=pin(6), sd=pin(4), mode=machine.I2S.RX, bits=32, format=machine.I2S.MONO,
                  rate=16000, ibuf=32768)
page, number = bytearray(256), 0
while True:
    mic.readinto(page)
    page[0] = key.value()
    page[1:9] = os.urandom(8)
    flash.writeblocks(number // 15, page, 256 * (1 + number % 15))
    number += 1
"""
DRAWS = """
import adafruit_ssd1306, machine, time
class Bus:
    def __init__(self):
        self.i2c = machine.I2C(0, scl=machine.Pin(9), sda=machine.Pin(8))
    def try_lock(self): return True
    def unlock(self): pass
    def writeto(self, address, data, start=0, end=None): self.i2c.writeto(address, data)
screen = adafruit_ssd1306.SSD1306_I2C(128, 64, Bus())
for x in range(3):
    screen.pixel(x, 0, 1)
    screen.show()
    time.sleep(1)
"""


@pytest.fixture(autouse=True)
def _own_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def options(tmp_path: Path) -> Options:
    """Options for a card of 4 MB that runs `main` as its main.py."""

    def make(main: str, script: str | None = "wait 100ms", **more: object) -> EmulateOptions:
        return card_that_runs(tmp_path, main, script, **more)

    return make


@pytest.fixture(params=INTERPRETERS, ids=lambda interpreter: interpreter.name)
def interpreter(request: pytest.FixtureRequest) -> Path | None:
    chosen: Interpreter = request.param
    chosen.require()
    return chosen.path


@pytest.fixture
def mic(tmp_path: Path) -> Path:
    """Two seconds of noise at 44.1 kHz, in stereo."""
    path = tmp_path / "noise.wav"
    soundfile.write(path, np.random.default_rng(1).uniform(-0.5, 0.5, (88_200, 2)), 44_100)
    return path


def test_the_card_sees_its_own_files_and_the_board_alone(options: Options, interpreter: Path | None) -> None:
    main = """
import os, sys, machine, time
print(__name__, sys.path, sorted(os.listdir("/")), time.gmtime()[0], machine.reset_cause() == machine.PWRON_RESET)
for name in ("emulator", "wire.sector", "run", "emulator.world"):
    try:
        print(__import__(name))
    except ImportError:
        print("no", name)
"""
    console = emulate(options(main, interpreter=interpreter)).console
    assert console.splitlines() == [
        "__main__ ['', '.frozen', '/lib'] ['boot.py', 'lib', 'main.py'] 2000 True",
        "no emulator",
        "no wire.sector",
        "no run",
        "no emulator.world",
    ]


def test_the_same_run_gives_the_same_bytes(
    options: Options, mic: Path, tmp_path: Path, interpreter: Path | None
) -> None:
    images = []
    for name, seed in (("first", 1), ("second", 1), ("third", 2)):
        flash = tmp_path / name
        script = "tap rec; wait 500ms; double memo; until mic-end; hold rec 1s; cut; boot; wait 200ms"
        report = emulate(
            options(RECORDS, script, mic=mic, flash=flash, card_name="k3f92b", seed=seed, interpreter=interpreter)
        )
        assert [cycle.reason for cycle in report.cycles] == ["cut", "end"]
        assert report.cycles[0].samples_heard > 16_000 * 3
        images.append(flash.read_bytes())
    assert images[0] == images[1] != images[2]


def test_what_the_microphone_is_given_is_told_and_heard_to_its_end(options: Options, mic: Path) -> None:
    notices: list[Notice] = []
    report = emulate(options(RECORDS, "until mic-end", mic=mic, log_flash=True), notices.append)
    assert [n.text for n in notices if n.kind == "note"] == [
        "noise.wav: 2 channels mixed to one",
        "noise.wav: resampled from 44100 to 16000 Hz",
    ]
    (cycle,) = report.cycles
    assert 32_000 - 64 * 5 <= cycle.samples_heard <= 32_000
    counts = cycle.flash["recordings"]
    programs = [operation for operation in cycle.flash_log if operation.kind == "program"]
    assert counts["programs"] == len(programs) == cycle.flash_operations
    assert (counts["largest_program"], counts["page_crossings"], counts["erases"]) == (256, 0, 0)
    assert (programs[16].label, programs[16].offset, programs[16].size_bytes) == ("recordings", 4096 + 512, 256)


def test_a_host_talks_to_the_card_as_long_as_it_is_plugged_in(
    options: Options, tmp_path: Path, interpreter: Path | None
) -> None:
    link = tmp_path / "card"
    question = bytes(range(256)) * 16  # far more than the card's input ring holds
    with running_card(options(ECHO, "plug; unplug; wait 1s; plug", port_link=link, interpreter=interpreter)) as card:
        for _ in range(2):
            port = card.port()
            assert link.readlink() == port
            assert [(e.port, e.pid) for e in registry.running()] == [(str(port), os.getpid())]
            with serial.Serial(str(link), timeout=5, write_timeout=5, exclusive=True) as line:
                line.write(question)
                assert line.read(len(question)) == question
        report = card.report()
    assert report.cycles[0].reason == "end"
    assert not link.is_symlink() and registry.running() == []


def test_a_host_sees_the_cable_pulled(options: Options) -> None:
    with running_card(options(ECHO, None)) as card:
        line = serial.Serial(str(card.port()), timeout=5)
        line.write(b"x")
        assert line.read(1) == b"x"
        card.stop()
        with pytest.raises(serial.SerialException):
            line.read(1)
        line.close()
        assert card.report().cycles[0].reason == "stopped"


def test_a_write_gives_up_when_the_host_does_not_read(options: Options) -> None:
    with running_card(options(SHOUT, "plug; wait 1s")) as card:
        with serial.Serial(str(card.port()), timeout=0) as line:
            line.write(b"x")
            wait_until(lambda: bool(card_has_given_up(line)))
        assert card.report().console.split() == ["True", "True"]


def card_has_given_up(line: serial.Serial) -> bool:
    """The terminal's buffer is full and stays as it is for as long as a card waits."""
    before = line.in_waiting
    time.sleep(0.7)
    return before > 0 and line.in_waiting == before


def wait_until(condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def test_a_cut_runs_no_clean_up(options: Options, tmp_path: Path) -> None:
    main = """
import time
try:
    while True:
        time.sleep(1)
finally:
    open("cleaned", "w").close()
    print("cleaned")
"""
    flash = tmp_path / "flash.bin"
    report = emulate(options(main, "wait 3s; cut", flash=flash))
    assert report.console == "" and report.cycles[0].reason == "cut"
    assert b"cleaned" not in flash.read_bytes()[partitions(flash)["vfs"].offset :].replace(main.encode(), b"")
    assert report.cycles[0].flash["vfs"]["programs"] == 0


def test_a_cut_comes_at_the_flash_operation_that_was_chosen(options: Options, tmp_path: Path) -> None:
    flash = tmp_path / "flash.bin"
    report = emulate(options(RECORDS, "wait 60s", flash=flash, cut_at=(7, "after")))
    assert report.cycles[0].reason == "cut" and report.cycles[0].flash_operations == 7
    recordings = partitions(flash)["recordings"]
    pages = flash.read_bytes()[recordings.offset :]
    assert pages[6 * 256] == 0 or pages[7 * 256] != 0xFF
    assert set(pages[8 * 256 : 4096]) == {0xFF}


def test_a_crash_is_one_sentence_and_the_console_is_kept(options: Options) -> None:
    with pytest.raises(DeviceError, match="crashed") as caught:
        emulate(options("print('before')\n1 / 0\n"))
    assert str(caught.value) == "the card's firmware crashed: ZeroDivisionError: divide by zero"
    assert "before" in caught.value.__notes__[0] and 'File "main.py", line 2' in caught.value.__notes__[0]


@pytest.mark.parametrize(
    ("restart", "reason", "cause"),
    [
        ("machine.WDT(timeout=2500); time.sleep(99)", "watchdog", "3"),
        ("machine.WDT(timeout=2500); 1 / 0", "watchdog", "3"),
        ("time.sleep_ms(2500); machine.reset()", "reset", "2"),
        ("time.sleep_ms(2500); raise SystemExit", "reset", "2"),
    ],
)
def test_a_card_that_restarts_knows_why_and_the_rest_of_its_steps_goes_on(
    options: Options, restart: str, reason: str, cause: str
) -> None:
    main = f"""
import machine, time
print(machine.reset_cause())
if machine.reset_cause() == machine.PWRON_RESET:
    {restart}
time.sleep(99)
"""
    report = emulate(options(main, "wait 9s; boot; wait 1s"))
    assert [cycle.reason for cycle in report.cycles] == [reason, "end", reason, "end"]
    assert [line for line in report.console.splitlines() if line in "123"] == ["1", cause, "1", cause]
    restarted_us, end_us = (cycle.time_us for cycle in report.cycles[:2])
    assert restarted_us == pytest.approx(2_500_000, abs=100_000)
    assert restarted_us - 2_000_000 + end_us - 2_000_000 == pytest.approx(9_000_000, abs=1000)


def test_a_cable_stays_plugged_through_a_restart_until_the_script_pulls_it(options: Options) -> None:
    watched = "import machine\nif machine.reset_cause() == machine.PWRON_RESET: machine.WDT(timeout=4000)\n"
    with running_card(options(watched + ECHO, "plug; wait 20s; unplug; plug")) as card:
        echoes(card.port())
        card.port()  # the same cable, after the restart
        echoes(card.port())
        card.report()
    kinds = [notice.kind for notice in card.notices]
    assert kinds == ["booted", "plugged", "off", "booted", "plugged", "unplugged", "plugged", "off"]


def echoes(port: Path) -> None:
    with serial.Serial(str(port), timeout=5) as line:
        line.write(b"x")
        assert line.read(1) == b"x"


def test_a_card_that_does_nothing_but_restart_is_not_watched_for_ever(options: Options) -> None:
    with pytest.raises(DeviceError, match="restarts again and again"):
        emulate(options("import machine; machine.reset()", None))


def test_an_application_that_crashed_is_told_at_the_latest_when_the_script_ends(options: Options) -> None:
    with pytest.raises(DeviceError, match="crashed: ZeroDivisionError"):
        emulate(options("import machine; machine.WDT(timeout=9000); 1 / 0", "wait 1s"))


@pytest.mark.parametrize("blank", [True, False])
def test_only_a_blank_file_system_is_made_anew_as_on_the_board(options: Options, tmp_path: Path, blank: bool) -> None:
    flash = tmp_path / "flash.bin"
    content = b"\xff" if blank else b"?"
    main = f"""
import esp32
(vfs,) = esp32.Partition.find(1, label="vfs")
for sector in range(vfs.ioctl(4, 0)):
    vfs.writeblocks(sector, {content!r} * 4096)
"""
    chosen = options(main, "wait 30s; boot; wait 1s", flash=flash)
    if blank:
        assert [cycle.reason for cycle in emulate(chosen).cycles] == ["end", "end"]
    else:
        with pytest.raises(DeviceError, match="recordings are untouched"):
            emulate(chosen)
    vfs = partitions(flash)["vfs"]
    start = flash.read_bytes()[vfs.offset : vfs.offset + 4096]
    assert (b"littlefs" in start) == blank


def test_screens_become_pictures(options: Options, tmp_path: Path, interpreter: Path | None) -> None:
    folder = tmp_path / "screens"
    report = emulate(options(DRAWS, "wait 4s", screens=folder, interpreter=interpreter))
    assert [path.name[:11] for path in report.screens] == ["0001-00000.", "0002-00001.", "0003-00002."]
    assert (folder / "last.png").read_bytes() == report.screens[-1].read_bytes()
    with Image.open(folder / "last.png") as picture:
        light = picture.convert("L").point(lambda value: 255 if value > 99 else 0)
        assert picture.size == (128 * 4 + 32, 64 * 4 + 32)
        assert light.getbbox() == (16, 16, 16 + 3 * 4 - 1, 16 + 3)


def test_realtime_is_real(options: Options) -> None:
    start = time.monotonic()
    emulate(options("import time\nwhile True: time.sleep_ms(7)\n", "wait 100ms", realtime=True))
    assert 2.1 <= time.monotonic() - start < 6


def test_an_hour_takes_no_hour(options: Options) -> None:
    start = time.monotonic()
    report = emulate(options("import time\nwhile True: time.sleep_ms(500)\n", "wait 60min"))
    assert report.cycles[0].time_us >= 3_600_000_000
    assert time.monotonic() - start < 10


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_all_of_it(options: Options, tmp_path: Path, number: signal.Signals) -> None:
    link = tmp_path / "card"
    chosen = options(ECHO)
    program = f"""
from pathlib import Path
from voicecard.device.emulate import EmulateOptions, emulate
emulate(EmulateOptions(firmware=Path({str(chosen.firmware)!r}), port_link=Path({str(link)!r}), flash_size_bytes=4 << 20))
"""
    environment = {**os.environ, "TMPDIR": str(tmp_path / "scratch")}
    (tmp_path / "scratch").mkdir()
    emulator = subprocess.Popen([sys.executable, "-c", program], env=environment, stderr=subprocess.DEVNULL)
    try:
        wait_until(link.is_symlink)
        (entry,) = registry.running()
        assert entry.pid == emulator.pid
        with serial.Serial(entry.port, timeout=5) as line:
            emulator.send_signal(number)
            assert emulator.wait(10) == (0 if number == signal.SIGINT else 128 + signal.SIGTERM)
            with pytest.raises(serial.SerialException):
                line.read(1)  # the card's process is gone as well
    finally:
        emulator.kill()
        emulator.wait()
    assert not link.is_symlink() and registry.running() == []
    assert list((tmp_path / "scratch").iterdir()) == []
    assert list((tmp_path / "cache").rglob("*.*")) == []


def test_entries_of_dead_emulators_are_removed(tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "voicecard" / "emulators"
    dead = subprocess.Popen(["true"])
    dead.wait()
    with registry.announced(Path("/dev/null"), None):
        (folder / "stale.json").write_text(json.dumps({"pid": dead.pid, "port": "/dev/null", "flash": None}))
        (folder / "other.json").write_text("not ours")
        assert [entry.pid for entry in registry.running()] == [os.getpid()]
        assert not (folder / "stale.json").exists() and (folder / "other.json").exists()
    assert registry.running() == []


def test_what_cannot_be_run_is_said_in_one_sentence(options: Options, tmp_path: Path) -> None:
    (tmp_path / "silence.wav").write_bytes(b"RIFF")
    (tmp_path / "taken").write_text("")
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), 16_000)
    for error, says, more in (
        (VoicecardError, "silence.wav cannot be read as audio", {"mic": tmp_path / "silence.wav"}),
        (VoicecardError, "empty.wav holds no sound", {"mic": tmp_path / "empty.wav"}),
        (DeviceError, "taken is no", {"flash": tmp_path / "taken"}),
        (DeviceError, "taken is there already", {"port_link": tmp_path / "taken"}),
        (DeviceError, "no MicroPython interpreter at", {"interpreter": tmp_path / "nowhere"}),
        (UsageError, "--mic", {"script": "until mic-end"}),
    ):
        with pytest.raises(error, match=says) as caught:
            emulate(options("", **more))  # type: ignore[arg-type]
        assert "\n" not in str(caught.value)
    assert (tmp_path / "taken").read_text() == ""


def test_a_card_that_never_listens_is_not_waited_for(options: Options, mic: Path) -> None:
    with pytest.raises(DeviceError, match="does not listen"):
        emulate(options("", "until mic-end", mic=mic))


def test_an_interpreter_that_dies_is_noticed(options: Options, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho out of order\nexit 3\n")
    broken.chmod(0o755)
    with pytest.raises(DeviceError, match="interpreter died: out of order"):
        emulate(options("", interpreter=broken))


def test_a_kept_flash_runs_on_with_a_new_application(options: Options, tmp_path: Path) -> None:
    flash = tmp_path / "flash.bin"
    build_flash_image(flash, 4 * MIB, firmware=options("open('kept', 'w').close()\n").firmware)
    emulate(options("open('kept', 'w').close()\n", flash=flash))
    report = emulate(options("import os\nprint(sorted(os.listdir('/')))\n", flash=flash))
    assert report.console == "['boot.py', 'kept', 'lib', 'main.py']\n"
