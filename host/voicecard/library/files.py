"""Write files so that a cut at any instant leaves the old one or the new one; say what the disk refuses."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Any

from voicecard.errors import DiskFullError, LibraryError

_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def disk_errors(place: Path) -> Iterator[None]:
    """Turn what the operating system refuses at `place` into a LibraryError."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            what = f"the disk is full at {place}; free some space and run the command again, nothing is lost"
            raise DiskFullError(what) from error
        reason = error.strerror or error
        what = f"{error.filename or place} cannot be used ({reason}); check the disk and the permissions"
        raise LibraryError(what) from error


@contextmanager
def replacing(path: Path) -> Iterator[FileIO]:
    """A new file that takes the name `path`, durably, when the block ends well, and else leaves nothing behind."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with FileIO(beside, "w") as file:
            yield file
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    sync_directory(path.parent)


def write_all(file: FileIO, data: bytes) -> None:
    """Write everything: an unbuffered file may take less than it is given."""
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def write_whole(path: Path, data: bytes) -> None:
    with replacing(path) as file:
        write_all(file, data)


def write_json(path: Path, value: dict[str, Any]) -> None:
    write_whole(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False).encode() + b"\n")


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file. Raises OSError, or ValueError if there is none."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value


def file_digest(path: Path) -> str:
    """SHA-256 (hex) of what is on the disk; where the system can forget its cached copy, it is made to first."""
    with path.open("rb") as file:
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync_directory(path: Path) -> None:
    """Make names in a folder durable. Windows has no such call and needs none."""
    if sys.platform == "win32":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
