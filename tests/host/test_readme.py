"""host/README.md says what the program says of itself."""

import subprocess
import sys

from interpreters import ROOT


def test_commands_and_settings_in_the_readme_are_those_of_the_program() -> None:
    check = [sys.executable, "-m", "cogapp", "-I", "host", "--check", "--diff", "host/README.md"]
    done = subprocess.run(check, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout}\nhost/README.md is stale: run `make docs`"
