"""Viper code run by CPython with integers that know the limits of the board's.

Viper's 32-bit integers wrap silently, and on a 64-bit interpreter they do not wrap at all. Here a result beyond int32, or one
stored in int16 that does not fit, is an OverflowError unless the line that makes it says "wraps" in its comment."""

from __future__ import annotations

import builtins
import importlib
import linecache
import sys
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from interpreters import ROOT


def fits(value: int, bits: int) -> int:
    """`value` as a signed integer of so many bits; where it does not fit, the line of viper code must say that it wraps."""
    limit = 1 << bits - 1
    if -limit <= value < limit:
        return value
    frame = sys._getframe(2)
    while frame.f_code.co_filename == __file__:
        frame = frame.f_back
    line = linecache.getline(frame.f_code.co_filename, frame.f_lineno)
    if "# wraps" not in line:
        raise OverflowError(f"{value} in {bits} bits: {line.strip()}")
    return (value + limit) % (2 * limit) - limit


def operator(name: str) -> Callable[[Any, Any], Int32]:
    method = getattr(int, name)
    return lambda self, other: Int32(fits(method(self, other), 32))


class Int32(int):
    """A viper integer of the board: operations on it give such integers again."""

    for _name in ("add", "sub", "mul", "and", "or", "xor", "lshift", "rshift", "floordiv"):
        for _side in ("__", "__r"):
            vars()[f"{_side}{_name}__"] = operator(f"{_side}{_name}__")


class Pointer:
    """ptr8, ptr16 or ptr32 to an array: loads have no sign, as viper's on a 64-bit interpreter."""

    def __init__(self, array: Any, bits: int) -> None:
        self._array = array
        self._bits = bits

    def __getitem__(self, index: int) -> Int32:
        assert index >= 0
        value = int(self._array[index])
        # A 32-bit load has its sign on the board; the code must be right either way.
        return Int32(value if self._bits == 32 else value & (1 << self._bits) - 1)

    def __setitem__(self, index: int, value: int) -> None:
        assert index >= 0
        # Bytes have no sign: an array of them takes nothing else.
        self._array[index] = int(value) if self._bits == 8 else fits(int(value), self._bits)


def import_checked(monkeypatch: pytest.MonkeyPatch, package: str) -> ModuleType:
    """Import a package of the card for the length of a test, its viper code checked."""
    shim = SimpleNamespace(const=lambda value: value, viper=lambda function: function)
    monkeypatch.setitem(sys.modules, "micropython", shim)
    monkeypatch.setattr(builtins, "micropython", shim, raising=False)
    for bits in (8, 16, 32):
        pointer = lambda array, bits=bits: Pointer(array, bits)  # noqa: E731
        monkeypatch.setattr(builtins, f"ptr{bits}", pointer, raising=False)
    monkeypatch.syspath_prepend(str(ROOT / "firmware"))
    for name in [name for name in sys.modules if name.split(".")[0] in ("card", "wire")]:
        monkeypatch.delitem(sys.modules, name)
    module = importlib.import_module(package)
    for name, imported in list(sys.modules.items()):
        if name.split(".")[0] in ("card", "wire"):
            monkeypatch.setattr(imported, "int", Int32, raising=False)
            monkeypatch.delitem(sys.modules, name)
    return module
