"""A file's bytes, safe in the library before anything is made of them.

incoming/KEY.import/            KEY is that of the recording which it becomes
    original.m4a                the file as it is, with its date
    .import.json                where it was, its digest, when it was recorded if somebody said so; what lacks it is not whole
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from voicecard.errors import LibraryError, UsageError
from voicecard.library.archive import Library
from voicecard.library.details import IMPORTED, Identity, original_in
from voicecard.library.entry import Entry
from voicecard.library.files import disk_errors, file_digest, read_json, sync_directory, write_json
from voicecard.library.incoming import IMPORT

_ABOUT = ".import.json"  # filing leaves hidden files behind
_EXTENSION = re.compile(r"\.[a-z0-9]{1,8}")


@dataclass(frozen=True, slots=True)
class Pending:
    """An accepted file of which no recording has been made yet. `path`: where it was."""

    identity: Identity
    folder: Path
    path: Path
    sha256: str
    recorded_at: datetime | None

    @property
    def key(self) -> str:
        return self.identity.key

    @property
    def original(self) -> Path:
        """Raises LibraryError if somebody has taken it away."""
        if (found := original_in(self.folder)) is None:
            raise LibraryError(f"{self.folder} has lost its sound: remove it, and import {self.path} again")
        return found

    def discard(self) -> None:
        """Take it out of the library."""
        with disk_errors(self.folder):
            (self.folder / _ABOUT).unlink()
            shutil.rmtree(self.folder)


def accept(
    library: Library,
    path: Path,
    recorded_at: datetime | None = None,
    on_key: Callable[[str], None] = lambda key: None,
) -> Pending | Entry:
    """Copy a file into the library, unless that has it: then the recording, or what is pending of it.

    `on_key` is told the key before anybody can begin with it. The file stays where it is. Raises UsageError, LibraryError."""
    with library.writing(), disk_errors(path):
        _clear(library)
        if not path.is_file():
            raise UsageError("there is no such file")
        sha256 = file_digest(path)
        if known := library.imported(sha256):
            return known
        if waiting := [each for each in pending(library).values() if each.sha256 == sha256]:
            return waiting[0]
        identity = Identity(IMPORTED, library.free_number(), sha256[:16])
        folder = library.incoming / f"{identity.key}{IMPORT}"
        folder.mkdir()
        original = folder / f"original{_extension(path)}"
        shutil.copy2(path, original)
        if file_digest(original) != sha256:
            raise LibraryError("the file changes while it is read: import it when it is finished")
        said = recorded_at.isoformat() if recorded_at else None
        on_key(identity.key)
        sync_directory(folder)
        write_json(folder / _ABOUT, {"path": str(path.absolute()), "sha256": sha256, "recorded_at": said})
        sync_directory(library.incoming)
        return Pending(identity, folder, path, sha256, recorded_at)


def pending(library: Library) -> dict[str, Pending]:
    """What waits to be made a recording, by key."""
    found = (_read(folder) for folder in sorted(library.incoming.glob(f"{IMPORTED}-*{IMPORT}")))
    return {each.key: each for each in found if each}


def _clear(library: Library) -> None:
    for folder in library.incoming.glob(f"*{IMPORT}"):
        if not (folder / _ABOUT).exists():
            shutil.rmtree(folder, ignore_errors=True)


def _read(folder: Path) -> Pending | None:
    """None for what is not whole, or none of ours."""
    name = re.fullmatch(rf"{IMPORTED}-([0-9]+)-([0-9a-f]{{16}})", folder.name.removesuffix(IMPORT))
    try:
        about = read_json(folder / _ABOUT)
        said = about["recorded_at"]
        when = datetime.fromisoformat(said) if said else None
        if name:
            identity = Identity(IMPORTED, int(name[1]), name[2])
            return Pending(identity, folder, Path(about["path"]), str(about["sha256"]), when)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None


def _extension(path: Path) -> str:
    found = path.suffix.lower()
    return found if _EXTENSION.fullmatch(found) else ".bin"
