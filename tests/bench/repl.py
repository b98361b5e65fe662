"""What the link is compared with: `mpremote cp` from MicroPython's prompt, behind a pseudo-terminal as the emulated card is."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from voicecard.device.interpreter import micropython_command

_COPY_S = 120


@contextmanager
def prompt(folder: Path) -> Iterator[str]:
    """The same interpreter that runs the emulated card, at its prompt in `folder`; yields its port."""
    master, slave = pty.openpty()
    try:
        tty.setraw(slave)
        with subprocess.Popen(
            micropython_command(), cwd=folder, stdin=master, stdout=master, stderr=subprocess.DEVNULL
        ) as process:
            yield os.ttyname(slave)
            process.kill()
    finally:
        os.close(master)
        os.close(slave)


def copy_s(port: str, name: str, target: Path) -> float:
    """Seconds that `mpremote cp` takes to bring a file of that interpreter's file system here."""
    # Without `resume` mpremote resets the board first, and MicroPython on a computer ends at that.
    command = [sys.executable, "-m", "mpremote", "connect", port, "resume", "cp", f":{name}", str(target)]
    started = time.perf_counter()
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=_COPY_S)
    return time.perf_counter() - started
