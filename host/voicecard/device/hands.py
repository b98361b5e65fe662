"""What a person does with an emulated card while it runs: presses, cable, battery, power."""

from __future__ import annotations

import json
import os
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

_MICROPHONE = {"sound": None, "zeros": 0, "full": 0x7FFFFF00}


class Hands:
    """Use it in a `with` block, from any thread; give it to `emulate` in its options. What is done while the power is off is lost."""

    def __init__(self) -> None:
        self.descriptor, self._writing = os.pipe()
        for end in (self.descriptor, self._writing):
            os.set_blocking(end, False)
        self.filled_percent: int | None = None  # of the storage, from the next start on; None: as it is
        self.powered = threading.Event()
        self.powered.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._writing)
        os.close(self.descriptor)

    def press(self, key: str) -> None:
        self._move("down", key)

    def release(self, key: str) -> None:
        self._move("up", key)

    def charge(self, millivolts: int) -> None:
        """Let the battery have so much."""
        self._move("battery", millivolts)

    def fill_storage(self, percent: int) -> None:
        """Let so much of the storage be used when the card is switched on next."""
        self.filled_percent = percent

    def wire_microphone(self, kind: str) -> None:
        """`sound`: as it should be; `zeros`, `full`: a wire is off."""
        self._move("mic", _MICROPHONE[kind])

    def plug(self) -> None:
        self._move("plug")

    def unplug(self) -> None:
        self._move("unplug")

    def cut_power(self) -> None:
        self._move("cut")
        self.powered.clear()

    def restore_power(self) -> None:
        self.powered.set()

    def _move(self, *move: str | int | None) -> None:
        if self.powered.is_set():
            with suppress(BlockingIOError):  # a card that looks no more
                os.write(self._writing, json.dumps(move).encode() + b"\n")
