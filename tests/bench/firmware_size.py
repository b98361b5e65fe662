"""How large the application is: on the card's file system, as machine code, and in the heap of a 32-bit interpreter."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from interpreters import BITS32, ROOT
from voicecard.device.application import application_files, compile_module
from voicecard.device.partitions import layout
from xtensa import Mpy

LIMIT_BYTES = 150_000  # of heap, of the 200 kB of a board without PSRAM: the rest is for buffers, tasks and collecting
DMA_DESCRIPTORS, DESCRIPTOR_BYTES = 16, 2048
_NOT_AT_START = (
    "card.safe_mode",
    "card.pages",
    "card.prompt",
    "slots_log",
    "card.selftest",
    "card.ui.test_card",
    "card.store.trial",
    "card.store.recovery",
    "card.link.files",
    "card.link.update",
)
_FIRMWARE = ROOT / "firmware"


@dataclass(frozen=True)
class Module:
    """Sizes in bytes. `heap`: what stays of it after import, without what it imports."""

    name: str
    file: int
    machine_code: int
    heap: int


def measure() -> list[Module]:
    """Every module of the application, in the order in which none needs a later one. Needs the 32-bit interpreter."""
    sources = {name: content for name, content in application_files(_FIRMWARE).items() if name.endswith(".py")}
    modules = {_module_name(path): content for path, content in sources.items() if path not in ("/boot.py", "/main.py")}
    order = list(_in_order(modules))
    with tempfile.TemporaryDirectory() as folder:
        _lay_out(Path(folder), modules)
        command = [*BITS32.command(), "-X", "heapsize=4000000", str(ROOT / "tests" / "bench" / "firmware_size_card.py")]
        done = subprocess.run([*command, folder, *order], capture_output=True, text=True, check=True)
    heap = json.loads(done.stdout)
    compiled = {name: compile_module(name, modules[name]) for name in order}
    return [Module(name, len(compiled[name]), _machine_code(compiled[name]), heap[name]) for name in order]


def _module_name(path: str) -> str:
    return path.removeprefix("/lib/").removeprefix("/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _in_order(modules: dict[str, bytes]) -> Iterator[str]:
    done: set[str] = set()

    def visit(name: str) -> Iterator[str]:
        if name in done or name not in modules:
            return
        done.add(name)
        yield from visit(name.rpartition(".")[0])
        for needed in _imports(name, modules):
            yield from visit(needed)
        yield name

    for name in sorted(modules):
        yield from visit(name)


def _imports(name: str, modules: dict[str, bytes]) -> Iterator[str]:
    """What a module imports when it is loaded: its top level alone."""
    for node in ast.parse(modules[name]).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = name if any(other.startswith(name + ".") for other in modules) else name.rpartition(".")[0]
            base = f"{package}.{node.module or ''}".rstrip(".") if node.level else node.module or ""
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _lay_out(folder: Path, modules: dict[str, bytes]) -> None:
    """The compiled application for this interpreter, and the emulator beside it as sources."""
    for path in (_FIRMWARE / "emulator").rglob("*.py"):
        target = folder / path.relative_to(_FIRMWARE)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    for name, source in modules.items():
        is_package = any(other.startswith(name + ".") for other in modules)
        target = folder / (name.replace(".", "/") + ("/__init__" if is_package else "") + ".mpy")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(compile_module(name, source, "x86"))


def _machine_code(mpy: bytes) -> int:
    return sum(len(code) for code in Mpy(mpy).viper_codes())


def _is_late(name: str) -> bool:
    return name.startswith(_NOT_AT_START)


def report(modules: list[Module]) -> int:
    """Print the table; returns how many bytes of heap the modules take that are loaded once the application runs."""
    print(f"{'module':<36}{'.mpy':>8}{'machine code':>14}{'heap':>8}")
    for module in sorted(modules, key=lambda module: -(module.heap + module.machine_code)):
        late = "  loaded when it is needed" if _is_late(module.name) else ""
        print(f"{module.name:<36}{module.file:>8}{module.machine_code or '':>14}{module.heap:>8}{late}")
    running = [module for module in modules if not _is_late(module.name)]
    heap, code = sum(m.heap for m in running), sum(m.machine_code for m in running)
    print(f"{'in all, running':<36}{sum(m.file for m in modules):>8}{code:>14}{heap:>8}")
    print(
        f"beside it: {DMA_DESCRIPTORS * DESCRIPTOR_BYTES} bytes of DMA buffers for the microphone, outside of the heap"
    )
    for partition in layout(16 << 20):
        print(f"{partition.label:<12}at {partition.offset:#9x}  {partition.size // 1024:>6} KiB")
    return heap


if __name__ == "__main__":
    taken = report(measure())
    print(f"heap: {taken} bytes, {LIMIT_BYTES} at most")
    sys.exit(taken > LIMIT_BYTES)
