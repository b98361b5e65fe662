"""One writer at a time: an operating-system lock on a file, gone with its process however that ends."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import TracebackType

from voicecard.errors import BusyError
from voicecard.library.files import disk_errors

if sys.platform == "win32":
    import msvcrt

    def _try_lock(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _try_lock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


class WriteLock:
    """`with lock:` holds it, also within itself. Raises BusyError at once when another process has it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle = -1
        self._depth = 0

    def __enter__(self) -> WriteLock:
        if self._depth == 0:
            self._acquire()
        self._depth += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._depth -= 1
        if self._depth == 0:
            os.close(self._handle)

    def _acquire(self) -> None:
        with disk_errors(self._path):
            self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _try_lock(self._handle)
        except OSError as error:
            os.close(self._handle)
            raise BusyError(
                f"another voicecard is writing to {self._path.parent}; wait until it has finished"
            ) from error
