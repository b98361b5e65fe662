"""One boot of an emulated card: the MicroPython process, its serial terminals, its events and its console."""

from __future__ import annotations

import json
import os
import pty
import selectors
import signal
import subprocess
import threading
import tty
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Event = dict[str, Any]
_LOOK_S = 0.1  # how soon a stop is noticed
_EXIT_S = 10.0
_READ_BYTES = 65_536
_MAX_CONSOLE_BYTES = 1_000_000
_PLUGS = ("plug", "plugged", "serve")  # the steps that each take a terminal


@dataclass(frozen=True, slots=True)
class Terminal:
    """A pseudo-terminal: the card's end as a file descriptor, the host's end as a path."""

    master: int
    port: Path


def boot(
    command: list[str],
    config: Mapping[str, Any],
    scratch: Path,
    console: bytearray,
    stop: threading.Event,
) -> Generator[Event]:
    """Run a card until its power is gone or it restarts, and yield what it tells; `plugged` events carry the `port`.

    `command` starts the interpreter with its script, `console` collects what the card prints. Setting `stop` ends it.
    Closing the iterator ends the process; its terminals are gone then."""
    with ExitStack() as resources:
        terminals = [_open_terminal() for step in config["steps"] if step[0] in _PLUGS]
        masters = [resources.enter_context(_owned(terminal.master)) for terminal in terminals]
        events_read, events_write = os.pipe()
        events = resources.enter_context(_owned(events_read))
        console_read, console_write = os.pipe()
        output = resources.enter_context(_owned(console_read))
        written = resources.enter_context(_owned(events_write))
        printed = resources.enter_context(_owned(console_write))
        configuration = scratch / "card.json"
        configuration.write_text(
            json.dumps({**config, "events": written.fd, "serial_masters": [master.fd for master in masters]})
        )
        process = subprocess.Popen(
            [*command, str(configuration)],
            stdin=subprocess.DEVNULL,
            stdout=printed.fd,
            stderr=printed.fd,
            pass_fds=[written.fd, *(master.fd for master in masters)],
            cwd=scratch,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
            start_new_session=True,  # Ctrl-C is for this process alone
        )
        resources.callback(_end, process)
        for end in (written, printed, *masters):
            end.close()  # the card's process holds them: when it goes, the other side notices
        for event in _events(events.fd, output.fd, console, stop):
            if event["event"] == "plugged":
                event["port"] = terminals[event["serial"]].port
            yield event


def _events(events: int, output: int, console: bytearray, stop: threading.Event) -> Iterator[Event]:
    """The events up to `off`, or up to the end of the process."""
    pending = b""
    with selectors.DefaultSelector() as selector:
        selector.register(events, selectors.EVENT_READ)
        selector.register(output, selectors.EVENT_READ)
        while selector.get_map() and not stop.is_set():
            for key, _ in selector.select(_LOOK_S):
                data = os.read(key.fd, _READ_BYTES)
                if not data:
                    selector.unregister(key.fd)
                elif key.fd == output:
                    _keep(console, data)
                else:
                    *lines, pending = (pending + data).split(b"\n")
                    for line in lines:
                        event = json.loads(line)
                        if event["event"] == "off":
                            _drain(output, console)
                            yield event
                            return
                        yield event


def _keep(console: bytearray, data: bytes) -> None:
    """Keep the last megabyte of what the card printed."""
    console += data
    del console[:-_MAX_CONSOLE_BYTES]


def _drain(output: int, console: bytearray) -> None:
    """What the card had printed before it went off."""
    os.set_blocking(output, False)
    with suppress(BlockingIOError):
        while data := os.read(output, _READ_BYTES):
            _keep(console, data)


def _open_terminal() -> Terminal:
    """A raw terminal that nobody has open: its card's end then shows a hang-up until a host comes."""
    master, slave = pty.openpty()
    try:
        tty.setraw(slave)
        os.set_blocking(master, False)
        return Terminal(master, Path(os.ttyname(slave)))
    finally:
        os.close(slave)


class _owned:  # noqa: N801
    """A file descriptor that is closed once."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._open = True

    def close(self) -> None:
        if self._open:
            self._open = False
            os.close(self.fd)

    def __enter__(self) -> _owned:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _end(process: subprocess.Popen[bytes]) -> None:
    """Power gone this instant: nothing of the card runs any more. Its whole session goes, and no zombie stays."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait(_EXIT_S)
