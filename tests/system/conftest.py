"""What the tests of card and host together share: the demo conversation, and the program as a person runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from interpreters import ROOT

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def conversation() -> Path:
    return ROOT / "tests" / "demo" / "conversation.flac"


@pytest.fixture
def voicecard(tmp_path: Path) -> Run:
    """Run `voicecard` with arguments in an empty home; returns the finished process."""

    def run(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            "HOME": str(tmp_path),
            "XDG_RUNTIME_DIR": str(tmp_path),
            "XDG_CACHE_HOME": str(tmp_path),
            "XDG_CONFIG_HOME": str(tmp_path),
            "VOICECARD_CONFIG": "",
            "PYTHON_KEYRING_BACKEND": os.environ.get("VOICECARD_TEST_KEYRING", "keyring.backends.fail.Keyring"),
            "VOICECARD_HOME": os.environ.get("VOICECARD_TEST_HOME", str(tmp_path / "library")),
        }
        return subprocess.run(
            [sys.executable, "-m", "voicecard", *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=120,
            env=environment,
            **({"stdin": subprocess.DEVNULL} | options),  # type: ignore[call-overload]
        )

    return run
