"""One boot of an emulated card: the MicroPython process, its serial terminals, its events, its console and its prompt."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import selectors
import signal
import subprocess
import threading
import tty
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Self

Event = dict[str, Any]
_LOOK_S = 0.1  # how soon a stop is noticed
_EXIT_S = 10.0
_READ_BYTES = 65_536
_MAX_CONSOLE_BYTES = 1_000_000
_WRITE_MS = 500  # USB gives up after so long without progress
_PLUGS = ("plug", "plugged", "serve")  # the steps that each take a terminal
_LIVE_PLUGS = 16  # as often a person may plug the cable in until the power goes
_SOFT_RESET = 5  # as the card reads its cause
_RAW_PROMPT_LEFT = (b"OK\r\n", b"\x04")  # what the raw prompt says last; the friendly one ends its line


def boot(
    command: list[str],
    config: Mapping[str, Any],
    scratch: Path,
    console: bytearray,
    stop: threading.Event,
    has_prompt: bool = False,
) -> Generator[Event]:
    """Run a card until its power is gone or it restarts, and yield what it tells; `plugged` events carry the `port`.

    `command` starts the interpreter with its script, `console` collects what the card prints. `has_prompt`: the interpreter
    behaves as the board does at its prompt; after a soft reset, `off` with the reason `soft`, the events go on. Setting `stop`
    ends it. Closing the iterator ends the process; its terminals are gone then."""
    with ExitStack() as resources:
        plugs = sum(_LIVE_PLUGS if step[0] == "live" else step[0] in _PLUGS for step in config["steps"])
        terminals = [resources.enter_context(_Terminal()) for _ in range(plugs)]
        events_read, events_write = _pipe(resources)
        console_read, console_write = _pipe(resources)
        keyboard_read, keyboard_write = _pipe(resources)
        inherited = [events_write.fd, *(terminal.fd for terminal in terminals)]
        descriptors: dict[str, Any] = {"events": events_write.fd, "serial_masters": [t.fd for t in terminals]}
        if config["controls"] is not None:
            inherited.append(config["controls"])
        if has_prompt:
            inherited.append(keyboard_write.fd)
        descriptors["keyboard"] = keyboard_write.fd if has_prompt else None
        configuration = scratch / "card.json"
        card = _Card({**config, **descriptors, "soft": None}, configuration, terminals, console)
        card.configure()
        process = subprocess.Popen(
            [*command, str(configuration)],
            stdin=keyboard_read.fd if has_prompt else subprocess.DEVNULL,
            stdout=console_write.fd,
            stderr=console_write.fd,
            pass_fds=inherited,
            cwd=scratch,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
            start_new_session=True,  # Ctrl-C is for this process alone
        )
        resources.callback(_end, process)
        for end in (events_write, console_write, keyboard_read, keyboard_write):
            end.close()  # the card's process holds them: when it goes, the other side notices
        yield from _events(card, events_read.fd, console_read.fd, stop)


class _Card:
    """What is known of a card that runs: its cable, and whether its port shows what it prints: from its first prompt on."""

    def __init__(
        self, config: dict[str, Any], configuration: Path, terminals: list[_Terminal], console: bytearray
    ) -> None:
        self._shows = False
        self._config = config
        self._configuration = configuration
        self._terminals = terminals
        self._plugged: _Terminal | None = None
        self._console = console

    def configure(self) -> None:
        """Write what the next start of the interpreter reads: all of it, or nothing."""
        written = self._configuration.with_suffix(".part")
        written.write_text(json.dumps(self._config))
        written.replace(self._configuration)

    def printed(self, data: bytes) -> None:
        """Keep the last megabyte of what the card printed."""
        if self._shows and self._plugged:
            self._plugged.show(data)
        self._console += data
        del self._console[:-_MAX_CONSOLE_BYTES]

    def follow(self, event: Event) -> None:
        """The terminals are held here too, for a soft reset: one that is unplugged has to be let go."""
        if event["event"] == "plugged":
            self._plugged = self._terminals[event["serial"]]
            event["port"] = self._plugged.port
        elif event["event"] == "unplugged" and self._plugged:
            self._plugged.close()
            self._plugged = None
        elif event["event"] == "prompt":
            self._shows = True

    def start_again(self, event: Event) -> None:
        """A soft reset: the same chip, the same cable, and a prompt that is raw stays so."""
        masters = event.pop("serial_masters")
        self._terminals = [terminal for terminal in self._terminals if terminal.fd in masters]
        left = bytes(self._console).removesuffix(b"MPY: soft reboot\r\n")
        self._config |= {
            "serial_masters": masters,
            "steps": event["steps"],
            "soft": "raw" if left.endswith(_RAW_PROMPT_LEFT) else "friendly",
            "reset_cause": _SOFT_RESET,
            "cut_at": None,
        }
        self.configure()


def _events(card: _Card, events: int, output: int, stop: threading.Event) -> Iterator[Event]:
    """The events up to `off`, or up to the end of the process."""
    lines = _Lines(events)
    os.set_blocking(output, False)
    with selectors.DefaultSelector() as selector:
        selector.register(events, selectors.EVENT_READ)
        selector.register(output, selectors.EVENT_READ)
        while selector.get_map() and not stop.is_set():
            ready = [key.fd for key, _ in selector.select(_LOOK_S)]
            for line in lines.read():  # first: they tell whether what is printed is for the port
                event = json.loads(line)
                off = event["event"] == "off"
                if off:
                    _drain(output, card)
                card.follow(event)
                if off and event["reason"] == "soft":
                    card.start_again(event)
                yield event
                if off and event["reason"] != "soft":
                    return
            if lines.ended and events in ready:
                selector.unregister(events)
            if output in ready and not _drain(output, card):
                selector.unregister(output)


class _Lines:
    """Whole lines out of a pipe, those that are there; `ended` when there will be no more."""

    def __init__(self, fd: int) -> None:
        os.set_blocking(fd, False)
        self.ended = False
        self._fd = fd
        self._pending = b""

    def read(self) -> list[bytes]:
        with suppress(BlockingIOError):
            while data := os.read(self._fd, _READ_BYTES):
                self._pending += data
            self.ended = True
        *lines, self._pending = self._pending.split(b"\n")
        return lines


def _drain(output: int, card: _Card) -> bool:
    """Take what the card has printed so far; returns whether it can print more."""
    with suppress(BlockingIOError):
        while data := os.read(output, _READ_BYTES):
            card.printed(data)
        return False
    return True


class _owned:  # noqa: N801
    """A file descriptor that is closed once."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._open = True

    def close(self) -> None:
        if self._open:
            self._open = False
            os.close(self.fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _pipe(resources: ExitStack) -> tuple[_owned, _owned]:
    """(reading end, writing end), closed with the resources at the latest."""
    reading, writing = os.pipe()
    return resources.enter_context(_owned(reading)), resources.enter_context(_owned(writing))


class _Terminal(_owned):
    """A raw pseudo-terminal: the card's end as a file descriptor, the host's end as the path `port`.

    Nobody has it open at first: the card's end then shows a hang-up until a host comes."""

    def __init__(self) -> None:
        master, slave = pty.openpty()
        super().__init__(master)
        self._returned = b""  # a carriage return that was written last
        try:
            tty.setraw(slave)
            os.set_blocking(master, False)
            self.port = Path(os.ttyname(slave))
        finally:
            os.close(slave)

    def show(self, data: bytes) -> None:
        """Write what the prompt prints, its line ends as on the board. What a program does not take, or none is there for, is gone."""
        text = re.sub(rb"(?<!\r)\n", b"\r\n", self._returned + data)[len(self._returned) :]
        self._returned = b"\r" if data.endswith(b"\r") else b""
        room = select.poll()
        room.register(self.fd, select.POLLOUT)
        while text and [flags for _, flags in room.poll(_WRITE_MS)] == [select.POLLOUT]:
            with suppress(BlockingIOError):
                text = text[os.write(self.fd, text) :]


def _end(process: subprocess.Popen[bytes]) -> None:
    """Power gone this instant: nothing of the card runs any more. Its whole session goes, and no zombie stays."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait(_EXIT_S)
