"""The queue in SQLite: one row for a stage of a recording, with how it goes.

jobs.db in the library's folder, apart from the index: that may be deleted and made again from the files, this holds what no
file tells: failures, tries, and what its owner holds back. Without it all jobs wait anew.

A row is changed in one transaction that is on the disk when it ends. SQLite's ordinary journal, as in the index; EXTRA is
FULL that also makes the journal's removal durable, without which the last transaction could be undone by a power cut.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from pathlib import Path

from voicecard.errors import BusyError, DiskFullError, LibraryError
from voicecard.library.files import disk_errors
from voicecard.library.lock import WriteLock
from voicecard.library.migrations import migrate

NAME = "jobs.db"

# Append only: a queue of any age is brought up to date, step by step, each in a transaction with its number.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE jobs (
            recording TEXT NOT NULL, stage TEXT NOT NULL, state TEXT NOT NULL, again INTEGER NOT NULL,
            tries INTEGER NOT NULL, cuts INTEGER NOT NULL, due_s REAL NOT NULL, updated_s REAL NOT NULL,
            error TEXT NOT NULL, advice TEXT NOT NULL,
            PRIMARY KEY (recording, stage))""",
        "CREATE INDEX jobs_by_state ON jobs (state, due_s)",
    ),
)

# `fill` looks at every recording within a transaction.
_BUSY_S = 60
# A job that is due later than any back-off can be was put off by a clock that was wrong.
_LATEST_S = 2 * 86_400.0


class State(StrEnum):
    """WAITING and FAILED are begun when due, GIVEN_UP and HELD only when a person says so."""

    WAITING = "waiting"
    RUNNING = "running"
    FAILED = "failed"
    GIVEN_UP = "given up"
    HELD = "held"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Job:
    """`recording`: the key of its identity. Times are seconds since 1970.

    `tries` that failed, `cuts`: how often the program ended in the middle of it, `again`: it is to be done although its
    result is there."""

    recording: str
    stage: str
    state: State = State.WAITING
    again: bool = False
    tries: int = 0
    cuts: int = 0
    due_s: float = 0.0
    updated_s: float = 0.0
    error: str = ""
    advice: str = ""

    @property
    def key(self) -> tuple[str, str]:
        return self.recording, self.stage


_NAMES = [column.name for column in fields(Job)]
_COLUMNS = ", ".join(_NAMES)
_VALUES = ", ".join(f":{name}" for name in _NAMES)
_ALL_NEW = ", ".join(f"{name} = excluded.{name}" for name in _NAMES)


class DamagedQueueError(LibraryError):
    """The file is no queue, or none any more."""


class Queue:
    """Use it in a `with` block. A damaged file is set aside, and a new one made.

    `lock` is held by the one process that works jobs off. All methods raise LibraryError when the disk refuses."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self.lock = WriteLock(folder / "jobs.lock")
        try:
            self._open()
        except DamagedQueueError:
            with self.lock:
                self._open_anew()

    def __enter__(self) -> Queue:
        return self

    def __exit__(self, *exc: object) -> None:
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, and nobody else in between; within another transaction, part of that."""
        if self._db.in_transaction:
            yield
            return
        with self._errors():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                self._db.rollback()
                raise

    def jobs(self) -> list[Job]:
        return self._select("TRUE ORDER BY rowid")

    def due(self, now_s: float) -> list[Job]:
        """What may begin now; what never went wrong comes first."""
        begins = f"state IN ('{State.WAITING}', '{State.FAILED}') AND (due_s <= ? OR due_s > ?)"
        return self._select(f"{begins} ORDER BY tries + cuts, rowid", now_s, now_s + _LATEST_S)

    def add(self, *jobs: Job) -> None:
        """Write rows for what has none yet."""
        self._insert("INSERT OR IGNORE", jobs)

    def put(self, *jobs: Job) -> None:
        """Write rows, in place of those that are there."""
        self._insert("INSERT", jobs, f" ON CONFLICT DO UPDATE SET {_ALL_NEW}")

    def remove(self, *jobs: Job) -> None:
        with self.transaction():
            self._db.executemany("DELETE FROM jobs WHERE recording = ? AND stage = ?", [job.key for job in jobs])

    def change(self, old: Job, new: Job) -> bool:
        """Write a row in place of the one that was read; False if another process has changed that meanwhile."""
        with self.transaction():
            if self._select("recording = ? AND stage = ?", *old.key) != [old]:
                return False
            self.put(new)
            return True

    def _insert(self, how: str, jobs: tuple[Job, ...], conflict: str = "") -> None:
        with self.transaction():
            self._db.executemany(f"{how} INTO jobs ({_COLUMNS}) VALUES ({_VALUES}){conflict}", map(asdict, jobs))

    def _select(self, condition: str, *values: str | float) -> list[Job]:
        with self._errors():
            rows = self._db.execute(f"SELECT {_COLUMNS} FROM jobs WHERE {condition}", values).fetchall()
            return [Job(**{**dict(row), "state": State(row["state"]), "again": bool(row["again"])}) for row in rows]

    def _open(self) -> None:
        with self._errors():
            self._db = sqlite3.connect(self.path, timeout=_BUSY_S, isolation_level=None)
        try:
            with self._errors():
                self._db.row_factory = sqlite3.Row
                self._db.execute("PRAGMA synchronous = EXTRA")
                migrate(self._db, MIGRATIONS, self.transaction, self.path)
            self._select("FALSE")
        except BaseException:
            self._db.close()
            raise

    def _open_anew(self) -> None:
        """Nobody works with it: the caller has the lock. Another process may have been faster."""
        try:
            self._open()
        except DamagedQueueError:
            with disk_errors(self.path):
                self.path.replace(self.path.with_name(f"{NAME}.damaged"))
                self.path.with_name(f"{NAME}-journal").unlink(missing_ok=True)
            self._open()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, ValueError) as error:
            code = getattr(error, "sqlite_errorcode", None)
            # A complaint without a code is about content that none of these rows can have.
            kind, what = _DAMAGED if code is None else _MEANINGS.get(code & 0xFF, _UNUSABLE)
            raise kind(f"the queue {self.path} {what} ({error})") from error


_UNUSABLE = (LibraryError, "cannot be used now; check the disk and the permissions, and try again")
_DAMAGED = (DamagedQueueError, "is damaged; move it away, it is made again from the files")
_BUSY = (BusyError, "is in use by another voicecard; try again")
_MEANINGS: dict[int, tuple[type[LibraryError], str]] = {
    sqlite3.SQLITE_BUSY: _BUSY,
    sqlite3.SQLITE_LOCKED: _BUSY,
    sqlite3.SQLITE_FULL: (DiskFullError, "cannot grow, the disk is full; free some space and run the command again"),
    sqlite3.SQLITE_ERROR: _DAMAGED,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
}
