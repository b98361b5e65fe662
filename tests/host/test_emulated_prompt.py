"""After main.py an emulated card is at MicroPython's own prompt, at its serial port, and mpremote finds there what it finds on a board."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import serial
from small_firmware import card_that_runs

from voicecard.device import registry
from voicecard.device.emulate import EmulateOptions, RunningCard, emulate, running_card
from voicecard.device.emulation_report import Notice

PROMPT, RAW_PROMPT = b">>> ", b"raw REPL; CTRL-B to exit\r\n>"
CTRL_A, CTRL_B, CTRL_C, CTRL_D = b"\x01", b"\x02", b"\x03", b"\x04"
FOREVER = "plug; unplug; " * 12
TELLS = "import machine\nanswer = 42\nprint('main.py', machine.reset_cause())\n"
Options = Callable[..., EmulateOptions]


@pytest.fixture(autouse=True)
def _own_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def options(tmp_path: Path) -> Options:
    def make(main: str = TELLS, script: str | None = FOREVER, **more: object) -> EmulateOptions:
        return card_that_runs(tmp_path, main, script, **more)

    return make


def mpremote(card: RunningCard, *arguments: str) -> str:
    """What mpremote prints, in a visit of its own."""
    command = [sys.executable, "-m", "mpremote", "connect", str(card.port()), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Typist(serial.Serial):  # type: ignore[misc]
    """Somebody who types at the card's port."""

    def __init__(self, card: RunningCard) -> None:
        super().__init__(str(card.port()), timeout=20, exclusive=True)

    def type(self, text: bytes, until: bytes = PROMPT) -> str:
        """Type, and return what the card says up to and with `until`."""
        self.write(text)
        said = self.read_until(until)
        assert said.endswith(until), said
        return bytes(said).decode()


@pytest.mark.parametrize("carrier", ["usb", "stdio"])
def test_mpremote_finds_a_board_whose_prompt_knows_the_names_of_main(options: Options, carrier: str) -> None:
    with running_card(options(carrier=carrier)) as card:
        assert mpremote(card, "exec", "print(1+1)") == "2\n"
    with running_card(options(carrier=carrier)) as card:
        assert mpremote(card, "resume", "exec", "print(answer, __name__)") == "42 __main__\n"
        assert mpremote(card, "resume", "exec", "answer += 1") == ""
        assert mpremote(card, "resume", "exec", "print(answer)") == "43\n", "it is the same prompt for every visitor"


def test_files_go_to_the_card_and_back_byte_for_byte(options: Options, tmp_path: Path) -> None:
    mine, back = tmp_path / "mine.bin", tmp_path / "back.bin"
    mine.write_bytes(bytes(range(256)) * 40)
    with running_card(options()) as card:
        mpremote(card, "cp", str(mine), ":kept.bin")
        assert " kept.bin" in mpremote(card, "ls")
        mpremote(card, "cp", ":kept.bin", str(back))
    assert back.read_bytes() == mine.read_bytes()


def test_a_soft_reset_runs_main_again_out_of_the_friendly_prompt_and_not_out_of_the_raw_one(options: Options) -> None:
    with running_card(options()) as card, Typist(card) as typist:
        typist.type(b"")
        assert "main.py 5" in typist.type(CTRL_D), "and the card knows why it starts"
        typist.type(b"x = 1\r")
        assert "MPY: soft reboot\r\nmain.py 5\r\n" in typist.type(CTRL_D)
        assert "NameError" in typist.type(b"x\r")
        typist.type(CTRL_A, RAW_PROMPT)
        said = typist.type(CTRL_D, RAW_PROMPT)
        assert said.startswith("OK\r\nMPY: soft reboot\r\n") and "main.py" not in said
        assert "NameError" in typist.type(b"answer" + CTRL_D, CTRL_D + b">")
        typist.type(CTRL_B)
        assert "main.py 5" in typist.type(b"raise SystemExit\r")
        assert [notice.kind for notice in card.notices].count("plugged") == 1, "the cable stays in its place"
        typist.close()
        card.stop()
        assert [cycle.reason for cycle in card.report().cycles] == ["soft"] * 4 + ["stopped"]


def test_a_reset_at_the_prompt_is_one_of_the_whole_board(options: Options) -> None:
    with running_card(options("import machine\nprint(machine.reset_cause())\n")) as card:
        with Typist(card) as typist:
            typist.write(b"machine.reset()\r")
            with pytest.raises(serial.SerialException):
                typist.read_until(b"no such thing")
        with Typist(card) as typist:
            assert "\r\n2\r\n" in typist.type(b"machine.reset_cause()\r", b"2\r\n" + PROMPT)


def test_ctrl_c_stops_what_waits(options: Options) -> None:
    with running_card(options()) as card, Typist(card) as typist:
        typist.type(b"")
        typist.write(b"import time; print('waits'); time.sleep(600)\r")
        typist.read_until(b"waits\r\n")
        assert "KeyboardInterrupt" in typist.type(CTRL_C)
        typist.type(
            b"import micropython; micropython.kbd_intr(-1); print('deaf'); time.sleep(1); print('still')\r", b"deaf\r\n"
        )
        assert "KeyboardInterrupt" not in typist.type(CTRL_C, b"still\r\n" + PROMPT)


def test_the_world_goes_on_while_somebody_is_at_the_prompt(options: Options) -> None:
    with running_card(options(script="plug")) as card:
        with Typist(card) as typist:
            typist.type(b"machine.WDT(timeout=500)\r")
            began = time.monotonic()
            with pytest.raises(serial.SerialException):
                typist.read_until(b"no such thing")
            assert 0.3 < time.monotonic() - began < 10
        card.port()
        card.stop()
        assert card.report().cycles[0].reason == "watchdog"


def test_with_nobody_at_the_prompt_time_flies_and_the_script_goes_on(options: Options) -> None:
    began = time.monotonic()
    assert [cycle.reason for cycle in emulate(options(script="wait 60min; cut; boot; wait 1s")).cycles] == [
        "cut",
        "end",
    ]
    with running_card(options(script="plug; wait 60min; cut")) as card:
        with Typist(card) as typist:
            typist.type(b"")
        (cycle,) = card.report().cycles
    assert cycle.reason == "cut" and cycle.time_us > 3_600_000_000
    assert time.monotonic() - began < 20


def test_a_cable_pulled_and_put_in_again_leads_to_the_same_prompt(options: Options) -> None:
    with running_card(options(script="plug; unplug; plug")) as card:
        with Typist(card) as typist:
            typist.type(b"")
            typist.type(b"answer = 43\r")
        with Typist(card) as typist:
            assert "43" in typist.type(b"answer\r", b"43\r\n" + PROMPT)


def test_a_host_that_does_not_read_keeps_nothing_from_going_on(options: Options) -> None:
    with running_card(options()) as card, Typist(card) as typist:
        typist.type(b"")
        typist.write(b"for n in range(20_000): print(n, 'lines that nobody reads')\r\r")
        time.sleep(0.5)  # it has written what the terminal holds
        typist.write(b"print('an' + 'swer')\r")
        assert typist.read_until(b"answer\r\n").endswith(b"answer\r\n")


def test_a_key_that_is_held_first_is_down_when_the_power_comes_on(options: Options) -> None:
    main = """
import machine, time
key = machine.Pin(2, machine.Pin.IN, machine.Pin.PULL_UP)
time.sleep_ms(10)
print("held" if not key.value() else "free")
time.sleep_ms(3500)
print("held" if not key.value() else "free")
"""
    for script, found in (
        ("boot; hold memo 3s; wait 1s", ["held", "free"]),
        ("boot; wait 100ms; hold memo 3s; wait 1s", ["free", "held"]),
        ("boot; hold rec 3s; wait 1s", ["free", "free"]),
    ):
        assert emulate(options(main, script)).console.split() == found, script


def test_the_prompt_is_told_once_a_start(options: Options) -> None:
    notices: list[Notice] = []
    emulate(options(script="wait 1s; boot; wait 1s"), notices.append)
    assert [notice.kind for notice in notices] == ["booted", "prompt", "off"] * 2


def test_a_card_at_the_prompt_does_not_outlive_its_emulator(options: Options, tmp_path: Path) -> None:
    chosen = options()
    program = f"""
from pathlib import Path
from voicecard.device.emulate import EmulateOptions, emulate
emulate(EmulateOptions(firmware=Path({str(chosen.firmware)!r}), flash_size_bytes=4 << 20, script="plug"))
"""
    emulator = subprocess.Popen([sys.executable, "-c", program], env={**os.environ, "TMPDIR": str(tmp_path)})
    try:
        deadline = time.monotonic() + 20
        while not registry.running() and time.monotonic() < deadline:
            time.sleep(0.05)
        (entry,) = registry.running()
        with serial.Serial(entry.port, timeout=20) as line:
            assert line.read_until(PROMPT).endswith(PROMPT)
            emulator.send_signal(signal.SIGKILL)
            with pytest.raises(serial.SerialException):
                line.read(1)  # its end of the terminal is closed: the card's process is gone as well
    finally:
        emulator.kill()
        emulator.wait()
