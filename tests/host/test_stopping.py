"""A command that is told to stop ends well wherever it is."""

from __future__ import annotations

import subprocess
import sys

import pytest

_PROGRAM = """
import signal
from voicecard.cli.stopping import until_stopped
with until_stopped():
    exec("signal.raise_signal({number})")  # as while data classes are made
    raise AssertionError("not stopped")
print("cleaned up")
"""


@pytest.mark.parametrize("number", ["signal.SIGINT", "signal.SIGTERM"])
def test_told_to_stop_while_a_module_is_imported_it_ends_well(number: str) -> None:
    program = _PROGRAM.format(number=number)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "cleaned up\n", "")
