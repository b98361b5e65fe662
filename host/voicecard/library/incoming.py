"""A recording on its way in: whole sectors appended to a `.part` file that survives everything until it is filed.

Once all have come, a small file beside it says so, before the card is asked to agree: from then on the card may count the recording
as held here. If this program ends before it has filed it, the next opening of the library does."""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import ExitStack
from datetime import datetime
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voicecard.errors import FormatError
from voicecard.firmware.wire.sector import SECTOR_BYTES
from voicecard.library.details import DETAILS, ORIGINAL, Identity, describe
from voicecard.library.files import disk_errors, file_digest, read_json, sync_directory, write_all, write_json
from voicecard.library.lock import WriteLock

if TYPE_CHECKING:
    from voicecard.library.archive import Library
    from voicecard.library.entry import Entry

STAGED = ".new"
IMPORT = ".import"  # of files that are no card's
WHOLE = ".whole.json"
_NOT_PROVED = ""  # filed before any card has agreed; there is nothing else to note


class Incoming:
    """Made by `Library.begin`. Closing it, as a `with` block does, leaves the `.part` for resuming.

    `sectors_done` whole sectors are there already. All methods raise LibraryError when the disk refuses."""

    def __init__(self, library: Library, lock: WriteLock, folder: Path, identity: Identity, salvage: bool) -> None:
        self.path = folder / f"{identity.key}.{'salvaged' if salvage else 'vcr'}.part"
        self.identity = identity
        self._whole = folder / f"{identity.key}{WHOLE}"
        self.sectors_done = 0
        self._library = library
        self._file: FileIO | None = None
        self._held = ExitStack()
        with ExitStack() as held:
            held.enter_context(lock)
            with disk_errors(self.path):
                if salvage:
                    self.path.unlink(missing_ok=True)
                self._resume()
            self._held = held.pop_all()

    def __enter__(self) -> Incoming:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of file and lock; can be repeated."""
        self._close_file()
        self._held.close()

    def append(self, data: bytes) -> None:
        """Add one sector of 4096 bytes; when the disk is full, what is there stays whole sectors."""
        if len(data) != SECTOR_BYTES:
            raise ValueError("a sector has 4096 bytes")
        with disk_errors(self.path):
            if self._file is None:
                self._file = FileIO(self.path, "a+")
            try:
                write_all(self._file, data)
            except OSError:
                self._keep_whole_sectors()
                raise
        self.sectors_done += 1

    def sync(self) -> None:
        """Make what was appended, and its name, durable."""
        with disk_errors(self.path):
            if self._file is not None:
                os.fsync(self._file.fileno())
                sync_directory(self.path.parent)

    def digest(self) -> str:
        """SHA-256 (hex) of the file, synced and then read back from the disk, so far as the system allows."""
        self.sync()
        with disk_errors(self.path):
            return file_digest(self.path) if self.path.exists() else hashlib.sha256().hexdigest()

    def complete(self) -> str:
        """Note durably that all has come; returns `digest()`, for the card to agree to."""
        sha256 = self.digest()
        with disk_errors(self._whole):
            write_json(self._whole, {**self.identity._asdict(), "sha256": sha256})
        return sha256

    def finish_left_whole(self) -> None:
        """File what an earlier run had whole, not proved by any card; what it did not have whole stays for resuming."""
        try:
            if read_json(self._whole)["sha256"] == self.digest():
                self.finish(salvaged=_NOT_PROVED)
        except (ValueError, KeyError, FormatError):
            pass
        finally:
            with disk_errors(self._whole):
                self._whole.unlink(missing_ok=True)

    def finish(
        self,
        started: datetime | None = None,
        how: str = "unknown",
        uncertainty_ms: int | None = None,
        salvaged: str | None = None,
    ) -> Entry:
        """File the recording, which the card has proved, under its final name; only then is the `.part` gone.

        `started`: when it began, if the caller knows better than the card's own clock in the file and what the library
        knows of its ticks. `salvaged`: how it came here, if no card has proved it (yet). Raises FormatError if the file is not
        this recording."""
        from voicecard.library.recording import read_recording

        sha256 = self.digest()
        self._close_file()
        recording = read_recording(self.path)
        told = recording.card, recording.number, recording.nonce
        if any(found not in (None, wanted) for found, wanted in zip(told, self.identity, strict=True)):
            raise FormatError(f"{self.path} is another recording than {self.identity.name}; pull it again")
        id = self._library.id_for(self.identity)
        content = describe(
            recording,
            self.identity,
            id=id,
            sha256=sha256,
            started=started,
            how=how,
            uncertainty_ms=uncertainty_ms,
            salvaged=salvaged,
        )
        if content["started"] is None:
            content |= self._library.dating(self.identity.card, recording.boot, recording.start_ticks_us)
        with disk_errors(self.path):
            staged = self._stage(content)
        entry = self._library.file(staged)
        self.close()
        return entry

    def discard(self) -> None:
        """Forget what has come in so far."""
        self._close_file()
        with disk_errors(self.path):
            self._whole.unlink(missing_ok=True)
            self.path.unlink(missing_ok=True)
        self.close()

    def _stage(self, content: dict[str, Any]) -> Path:
        """Make a folder of which the file, moved in last, makes a whole recording that a later start would file."""
        staged = self.path.with_name(self.identity.key + STAGED)
        shutil.rmtree(staged, ignore_errors=True)
        try:
            staged.mkdir()
            write_json(staged / DETAILS, content)
        except OSError:
            shutil.rmtree(staged, ignore_errors=True)
            raise
        sync_directory(staged.parent)
        self.path.rename(staged / ORIGINAL)
        self._whole.unlink(missing_ok=True)
        sync_directory(staged)
        sync_directory(staged.parent)
        return staged

    def _resume(self) -> None:
        if not self.path.exists():
            return
        self._file = FileIO(self.path, "a+")
        self._keep_whole_sectors()

    def _keep_whole_sectors(self) -> None:
        assert self._file is not None
        self.sectors_done = os.fstat(self._file.fileno()).st_size // SECTOR_BYTES
        self._file.truncate(self.sectors_done * SECTOR_BYTES)
        if not self.sectors_done:
            self._close_file()
            self.path.unlink()

    def _close_file(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
