"""How a command that goes on until it is told to stop is stopped."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn


class Stopped(KeyboardInterrupt):
    """Ctrl-C or SIGTERM. CPython ends a process by SIGINT when a KeyboardInterrupt itself has once left `exec` of a string,
    as it does on its way out of a module with data classes that is just being imported, even if it is caught then."""


@contextmanager
def until_stopped() -> Iterator[None]:
    """The block ends well, with everything cleaned up, on Ctrl-C and on SIGTERM."""
    previous = {number: signal.signal(number, _stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        with suppress(Stopped):
            yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    raise Stopped
