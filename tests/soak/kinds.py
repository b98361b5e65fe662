"""The kinds of card that a soak runs on: both carriers, and for a part the 32-bit interpreter with the heap of a small board."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from firmware_copies import compiled_firmware
from interpreters import BITS32, BITS64, Interpreter
from voicecard.device.emulate import EmulateOptions

_SMALL_HEAP_BYTES = 298 << 10  # of a board without PSRAM, and what the emulator itself takes


@dataclass(frozen=True, slots=True)
class Kind:
    carrier: str
    interpreter: Interpreter

    def __str__(self) -> str:
        return self.carrier if self.interpreter is BITS64 else f"{self.carrier} {self.interpreter.name}"

    def options(self, flash: Path, cut_at: tuple[int, str] | None = None) -> EmulateOptions:
        """A card of this kind that stays plugged in; a small one runs compiled modules, which are made beside its flash."""
        options = EmulateOptions(flash=flash, carrier=self.carrier, interpreter=self.interpreter.path, cut_at=cut_at)
        if self.interpreter is BITS64:
            return options
        firmware = flash.with_name("firmware")
        if not firmware.exists():
            compiled_firmware(firmware, "x86")
        return dataclasses.replace(options, heap_bytes=_SMALL_HEAP_BYTES, firmware=firmware)


USB, STDIO = Kind("usb", BITS64), Kind("stdio", BITS64)
USB_32, STDIO_32 = Kind("usb", BITS32), Kind("stdio", BITS32)
_ROTA = (USB, STDIO, USB_32, STDIO, USB, STDIO_32, USB, STDIO)  # a run's number decides


def kind_of(id: str) -> Kind:
    """The kind of card that a run takes: always the same."""
    return or_another(_ROTA[int(id.rpartition("-")[2]) % len(_ROTA)])


def in_turn() -> list[Kind]:
    """The kinds, each as often as it is its turn."""
    return [kind_of(str(number)) for number in range(len(_ROTA))]


def or_another(kind: Kind) -> Kind:
    """This kind; where there is no 32-bit interpreter, that with the other one."""
    return kind if is_there(kind) else Kind(kind.carrier, BITS64)


def is_there(kind: Kind) -> bool:
    return kind.interpreter.path is None or kind.interpreter.path.exists()
