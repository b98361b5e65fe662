"""Collects the tests in this folder as pytest items that run inside MicroPython, on the 64-bit and on the 32-bit interpreter.

Each file runs in one process an interpreter; `run_tests.py` reports what became of each of its test functions.
"""

from __future__ import annotations

import ast
import json
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from interpreters import INTERPRETERS, Interpreter

HERE = Path(__file__).parent
FILE_TIMEOUT_S = 300


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if module_path.parent != HERE:
        return None
    return FirmwareFile.from_parent(parent, path=module_path)


class FirmwareFile(pytest.File):
    """One file of firmware tests; its results are there after the first of its items ran."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._results: dict[str, dict[str, str]] = {}

    def collect(self) -> Iterator[pytest.Item]:
        tree = ast.parse(self.path.read_text(encoding="utf-8"))
        names = [n.name for n in tree.body if isinstance(n, ast.FunctionDef) and n.name.startswith("test_")]
        for interpreter in INTERPRETERS:
            for name in names:
                yield FirmwareItem.from_parent(
                    self, name=f"{name}[{interpreter.name}]", test=name, interpreter=interpreter
                )

    def results(self, interpreter: Interpreter) -> dict[str, str]:
        if interpreter.name not in self._results:
            self._results[interpreter.name] = self._run(interpreter)
        return self._results[interpreter.name]

    def _run(self, interpreter: Interpreter) -> dict[str, str]:
        command = [*interpreter.command(), "-X", "heapsize=64m", str(HERE / "run_tests.py"), str(HERE), self.path.stem]
        with tempfile.TemporaryDirectory() as scratch:
            try:
                done = subprocess.run(
                    command,
                    cwd=scratch,
                    capture_output=True,
                    text=True,
                    timeout=FILE_TIMEOUT_S,
                    stdin=subprocess.DEVNULL,
                )
                output, end = done.stdout, f"exit code {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
            except subprocess.TimeoutExpired as error:
                output, end = str(error.stdout or ""), f"no end within {FILE_TIMEOUT_S} s"
        results = {"": end}
        for line in output.splitlines():
            if line.startswith("result "):
                test, error = json.loads(line.removeprefix("result "))
                results[test] = error
        return results


class FirmwareItem(pytest.Item):
    def __init__(self, *, test: str, interpreter: Interpreter, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.test = test
        self.interpreter = interpreter

    def runtest(self) -> None:
        self.interpreter.require()
        parent = self.parent
        assert isinstance(parent, FirmwareFile)
        results = parent.results(self.interpreter)
        if self.test not in results:
            raise FirmwareError(f"the interpreter stopped before this test ended: {results['']}")
        if results[self.test]:
            raise FirmwareError(results[self.test])

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, FirmwareError):
            return str(excinfo.value)
        return super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, 0, self.name


class FirmwareError(Exception):
    """What a test raised inside MicroPython, as its traceback there."""
