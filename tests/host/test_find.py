"""Which ports are asked whether a card is there, and what the others see of it: nothing."""

from __future__ import annotations

import fcntl
import grp
import os
import pty
import pwd
import re
import subprocess
import termios
import threading
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import serial
from serial.tools import list_ports
from serial.tools.list_ports_common import ListPortInfo

from interpreters import BITS64, ROOT
from voicecard.device import approach, find, permission, registry
from voicecard.device.port import Port
from voicecard.errors import DeviceError, NoCardError, UsageError
from voicecard.firmware.wire import frame, message

LINK, REPL = "voicecard link", "Board CDC"


def port(device: str, interface: str | None = None, **about: Any) -> ListPortInfo:
    """A port as pyserial describes it; of a card with the carrier `usb` unless told otherwise."""
    info = ListPortInfo(device)
    facts = {"vid": 0x303A, "pid": 0x4001, "serial_number": "k3f92b", "location": "1-2", "product": "voicecard"}
    for name, value in {**facts, "interface": interface, **about}.items():
        setattr(info, name, value)
    return info


def asked(*ports: ListPortInfo) -> list[str]:
    return [candidate.port for candidate in find.boards(ports)]


def test_of_a_cards_two_ports_only_the_links_is_asked() -> None:
    linux = [port("/dev/ttyACM0", REPL, location="1-2:1.0"), port("/dev/ttyACM1", LINK, location="1-2:1.2")]
    assert asked(*linux) == asked(*reversed(linux)) == ["/dev/ttyACM1"]
    turned = [port("/dev/ttyACM0", LINK, location="1-2:1.2"), port("/dev/ttyACM1", REPL, location="1-2:1.0")]
    assert asked(*turned) == ["/dev/ttyACM0"]
    older_firmware = [port("/dev/ttyACM0", REPL, product="Board"), port("/dev/ttyACM1", LINK, product="Board")]
    assert asked(*older_firmware) == ["/dev/ttyACM1"]


@pytest.mark.parametrize("name", [LINK, REPL, None])
def test_where_both_have_one_name_the_link_is_the_last(name: str | None) -> None:
    """macOS gives both ports the name of the device's first interface."""
    first, second = port("/dev/cu.usbmodemk3f92b1", name), port("/dev/cu.usbmodemk3f92b3", name)
    assert asked(second, first) == ["/dev/cu.usbmodemk3f92b3"]


def test_a_repl_whose_link_is_on_its_way_is_not_asked() -> None:
    assert asked(port("/dev/ttyACM0", REPL, location="1-2:1.0")) == []


def test_two_cards_are_two_even_without_names() -> None:
    cards = [
        port(f"/dev/ttyACM{number}", interface, serial_number="unnamed", location=f"1-{plug}:1.{number}")
        for number, interface, plug in [(0, REPL, 1), (1, LINK, 1), (2, REPL, 2), (3, LINK, 2)]
    ]
    assert asked(*cards) == ["/dev/ttyACM1", "/dev/ttyACM3"]


def test_boards_that_do_not_say_what_they_are_may_be_cards_and_other_devices_may_not() -> None:
    board = port("/dev/ttyACM0", REPL, product="Board", serial_number="aa")
    usb_jtag = port("/dev/ttyACM1", None, pid=0x1001, product="USB JTAG", serial_number="bb")
    arduino = port("/dev/ttyACM2", None, vid=0x2341, pid=0x43, product="Uno", serial_number="cc")
    found = find.boards([board, usb_jtag, arduino, ListPortInfo("/dev/ttyS0")])
    assert [(candidate.port, candidate.is_card) for candidate in found] == [
        ("/dev/ttyACM0", False),
        ("/dev/ttyACM1", False),
    ]


def test_the_names_are_those_that_the_firmware_gives() -> None:
    strings = (ROOT / "firmware" / "card" / "link" / "usb_descriptors.py").read_text(encoding="utf-8")
    assert f'_PRODUCT: "{find.PRODUCT}"' in strings and f'str_max: "{find.LINK_INTERFACE}"' in strings


@dataclass
class Listener:
    """The device's end of a port."""

    path: str
    heard: bytearray


@contextmanager
def device(is_card: bool) -> Iterator[Listener]:
    """A port behind which a card says hello, or something else keeps silent."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    listener = Listener(os.ttyname(slave), bytearray())
    reader = frame.FrameReader(frame.MAX_TO_CARD_BYTES)
    writer = frame.FrameWriter(frame.MAX_TO_HOST_BYTES)
    hello = message.pack_json({"card": "k3f92b", "fw": "0.1.0", "boot": 1, "ticks_us": 5})

    def listen() -> None:
        with suppress(OSError):  # nobody has the port open any more
            while data := os.read(master, 4096):
                listener.heard += data
                for _, sequence, _ in reader.feed(data) if is_card else ():
                    os.write(master, writer.frame(message.ANSWER, sequence, hello))

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    try:
        yield listener
    finally:
        os.close(slave)
        thread.join(5)
        os.close(master)


def requests_in(heard: bytes) -> list[str]:
    """What was asked, in good frames."""
    frames = frame.FrameReader(frame.MAX_TO_CARD_BYTES).feed(heard)
    return [message.read_json(payload)["do"] for _, _, payload in frames]


@pytest.fixture
def plugged(monkeypatch: pytest.MonkeyPatch) -> list[ListPortInfo]:
    """The serial ports of this machine."""
    ports: list[ListPortInfo] = []
    monkeypatch.setattr(list_ports, "comports", lambda: ports)
    monkeypatch.setattr(registry, "running", list)
    monkeypatch.setattr(approach, "PATIENCE_S", 0.3)
    return ports


def test_finding_a_card_sends_nothing_to_its_repl_nor_to_other_boards(plugged: list[ListPortInfo]) -> None:
    with device(False) as repl, device(True) as link, device(False) as board:
        plugged += [port(repl.path, REPL), port(link.path, LINK), port(board.path, REPL, product="B", location="9")]
        with find.open_card(None) as card:
            assert card.hello.card == "k3f92b"
        assert [probed.card for probed in find.probe_all()] == ["k3f92b", None]
    assert repl.heard == b"" and b"hello" in link.heard
    assert requests_in(board.heard) == ["hello"], "asked once, by the list of devices"


def test_what_is_no_card_is_asked_once_and_left_alone(plugged: list[ListPortInfo]) -> None:
    with device(False) as board:
        plugged.append(port(board.path, REPL, product="Board"))
        with pytest.raises(NoCardError, match="left alone"):
            find.open_card(None)
    assert requests_in(board.heard) == ["hello"]


def test_two_cards_have_to_be_told_apart(plugged: list[ListPortInfo]) -> None:
    plugged += [port("/dev/one", LINK, location="1-1"), port("/dev/two", LINK, location="1-2")]
    with pytest.raises(UsageError, match="/dev/one, /dev/two"):
        find.open_card(None)


def test_a_device_that_goes_during_the_listing_is_no_traceback(
    plugged: list[ListPortInfo], monkeypatch: pytest.MonkeyPatch
) -> None:
    def comports() -> list[ListPortInfo]:
        if not stumbled:
            stumbled.append(True)
            raise TypeError("int() can't convert non-string with explicit base")
        return [port("/dev/ttyACM1", LINK)]

    stumbled: list[bool] = []
    monkeypatch.setattr(list_ports, "comports", comports)
    assert [candidate.port for candidate in find.candidates()] == ["/dev/ttyACM1"]


def test_a_port_that_is_made_anew_is_another(plugged: list[ListPortInfo], tmp_path: Path) -> None:
    path = tmp_path / "port"
    path.touch()
    plugged.append(port(str(path), LINK))
    (before,) = find.candidates()
    assert find.candidates() == [before]
    path.rename(tmp_path / "old")
    path.touch()
    (after,) = find.candidates()
    assert after != before and after.port == before.port


def test_the_question_is_a_whole_hello_without_control_characters() -> None:
    question = approach.harmless_hello()
    ((kind, _, payload),) = frame.FrameReader(frame.MAX_TO_CARD_BYTES).feed(question)
    assert kind == message.REQUEST and message.read_json(payload) == {"do": "hello", "v": message.VERSION}
    assert question[0] == question[-1] == 0
    assert [byte for byte in question[1:-1] if byte < 0x20 or byte == 0x7F] == [message.REQUEST]
    assert question[2] == message.REQUEST, "behind a printable byte"


@contextmanager
def micropython_prompt() -> Iterator[int]:
    """The terminal of a real MicroPython that waits at its prompt."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [*BITS64.command(), "-i"], stdin=slave, stdout=slave, stderr=slave, start_new_session=True
    )
    try:
        said_until(master, b">>> ")
        yield master
    finally:
        process.kill()
        process.wait()
        os.close(slave)
        os.close(master)


def said_until(master: int, end: bytes) -> bytes:
    said = b""
    deadline = time.monotonic() + 10
    while not said.endswith(end):
        assert time.monotonic() < deadline, said
        said += os.read(master, 4096)
    return said


def test_a_micropython_prompt_enters_nothing_and_goes_on() -> None:
    with micropython_prompt() as terminal:
        os.write(terminal, approach.harmless_hello())
        os.write(terminal, b"\x15\x0bprint(6 * 7)\r")  # its owner clears the line
        said = said_until(terminal, b"42\r\n>>> ")
    assert b"Error" not in said and b"raw REPL" not in said and said.count(b">>> ") == 1


def test_opening_a_port_moves_neither_dtr_nor_rts(monkeypatch: pytest.MonkeyPatch) -> None:
    moved: list[int] = []
    ioctl = fcntl.ioctl

    def watched(fd: int, request: int, *arguments: Any) -> Any:
        moved.extend([request] if request in (termios.TIOCMBIS, termios.TIOCMBIC, termios.TIOCMSET) else [])
        return ioctl(fd, request, *arguments)

    monkeypatch.setattr(serial.serialposix.fcntl, "ioctl", watched)
    with device(False) as listener, Port(listener.path) as opened:
        opened.write(b"\0")
    assert moved == []


def may_not_open(monkeypatch: pytest.MonkeyPatch, path: Path) -> str:
    def refuse(*_: object, **__: object) -> None:
        raise serial.SerialException(13, "could not open port")

    monkeypatch.setattr(serial.serialposix.os, "open", refuse)
    with pytest.raises(DeviceError) as error:
        Port(str(path))
    monkeypatch.undo()
    return str(error.value)


class Group:
    """What the system says of the port's group."""

    gr_name = "dialout"
    gr_mem: tuple[str, ...] = ()


@pytest.fixture
def tty_file(tmp_path: Path) -> Path:
    path = tmp_path / "ttyACM0"
    path.touch()
    path.chmod(0o660)
    return path


def seen_as(monkeypatch: pytest.MonkeyPatch, path: Path, gid: int) -> None:
    mode = path.stat().st_mode
    about = os.stat_result((mode, 1, 1, 1, 0, gid, 0, 0, 0, 0))
    monkeypatch.setattr(permission.Path, "stat", lambda self: about)
    monkeypatch.setattr(permission.os, "getgroups", lambda: [gid + 1])
    monkeypatch.setattr(grp, "getgrgid", lambda _: Group)
    monkeypatch.setattr(grp, "getgrnam", lambda _: Group)


def test_a_port_of_a_group_says_which(monkeypatch: pytest.MonkeyPatch, tty_file: Path) -> None:
    seen_as(monkeypatch, tty_file, 20)
    said = may_not_open(monkeypatch, tty_file)
    assert "its group dialout may" in said and "usermod -aG dialout" in said and str(tty_file) in said


def test_somebody_who_joined_after_logging_in_is_told_to_log_in(
    monkeypatch: pytest.MonkeyPatch, tty_file: Path
) -> None:
    seen_as(monkeypatch, tty_file, 20)
    monkeypatch.setattr(Group, "gr_mem", (pwd.getpwuid(os.getuid()).pw_name,))
    said = may_not_open(monkeypatch, tty_file)
    assert "log out and in again" in said and "usermod" not in said


@pytest.mark.parametrize(("gid", "mode"), [(0, 0o660), (20, 0o600), (20, 0o640)])
def test_a_port_of_nobodys_group_needs_the_udev_rule(
    monkeypatch: pytest.MonkeyPatch, tty_file: Path, gid: int, mode: int
) -> None:
    tty_file.chmod(mode)
    seen_as(monkeypatch, tty_file, gid)
    said = may_not_open(monkeypatch, tty_file)
    assert "`voicecard udev`" in said and "usermod" not in said


def test_the_udev_rule_names_what_is_looked_for_and_gives_the_seats_user_access() -> None:
    comments, *rules = re.split(r"\n(?=SUBSYSTEM)", permission.udev_rule(find.USB_IDENTITIES))
    assert len(comments.splitlines()) == 2 and "/etc/udev/rules.d/70-" in comments
    for rule, (vendor, product) in zip(rules, find.USB_IDENTITIES, strict=True):
        pairs = dict(re.fullmatch(r'([\w{}]+)\+?==?"([^"]*)"', part).groups() for part in rule.split(", "))  # type: ignore[union-attr]
        assert pairs["ATTRS{idVendor}"] == f"{vendor:04x}" and pairs["ATTRS{idProduct}"] == f"{product:04x}"
        assert pairs["TAG"] == "uaccess" and pairs["MODE"] == "0660" and pairs["GROUP"]
