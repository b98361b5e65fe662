"""MicroPython's prompt on a card: the start that ends there, the port it is at then, and mpremote's terminal."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from voicecard.device.client import CardLink
from voicecard.device.find import Candidate, at, candidates
from voicecard.errors import DeviceError

LEFT_ALONE_S = 3.0  # a port that is still the same then will stay so: a USB bridge that is no part of the chip
RETURN_S = 20.0
_LOOK_S = 0.1


def go_to_prompt(link: CardLink, stop: bool = False) -> str:
    """Let the card start again and stay at the prompt; returns the port it is at then. `stop`: end a recording that runs.

    The link is over by that. Raises RefusedError when the card does not, DeviceError when it does not come back."""
    before = _ports(link.path)
    link.go_to_prompt(stop)
    return _await(link.path, before)


def show_terminal(port: str) -> None:
    """Hand this terminal over to mpremote until its user leaves it. Raises DeviceError if that fails."""
    done = subprocess.run([sys.executable, "-m", "mpremote", "connect", port, "repl"])
    if done.returncode:
        raise DeviceError(f"mpremote could not show the prompt on {port}: try `mpremote connect {port} repl` yourself")


def _await(path: str, before: set[Candidate]) -> str:
    """A board that starts again enumerates anew: its port is a new one, whatever its name; only a bridge's stays."""
    began = time.monotonic()
    while (waited_s := time.monotonic() - began) < RETURN_S:
        now = _ports(path)
        fresh = sorted(now - before) or sorted(one for one in now if one.port == path and waited_s > LEFT_ALONE_S)
        if fresh and os.access(fresh[0].port, os.R_OK | os.W_OK):
            return fresh[0].port
        time.sleep(_LOOK_S)
    raise DeviceError(
        "the card was told to start at its prompt, and did not come back: unplug it, plug it in again with the key memo held, "
        "let the key go, and try `mpremote`"
    )


def _ports(path: str) -> set[Candidate]:
    return {*candidates(), *at(path)}
