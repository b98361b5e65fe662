"""The library's index in SQLite: what `ls` and search ask. Everything in it comes from the plain files.

The journal is SQLite's ordinary one, not WAL: there is one writer at a time anyway, and WAL needs shared memory, which
network and synchronised folders do not have, and leaves two more files beside the index.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from operator import itemgetter
from pathlib import Path
from typing import Any

from voicecard.errors import LibraryError
from voicecard.library.entry import COLUMNS
from voicecard.library.migrations import migrate
from voicecard.library.page import Page
from voicecard.library.words import to_index
from voicecard.transcript import Transcript

# Append only: a library of any age is brought up to date, step by step, each in a transaction with its number.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE recordings (
            id TEXT PRIMARY KEY, folder TEXT NOT NULL UNIQUE,
            card TEXT NOT NULL, number INTEGER NOT NULL, nonce TEXT NOT NULL, boot INTEGER, kind TEXT NOT NULL,
            started TEXT, started_how TEXT NOT NULL, uncertainty_ms INTEGER, placed_ms INTEGER NOT NULL,
            length_s REAL NOT NULL, kept_s REAL NOT NULL, speech_s REAL NOT NULL, silence_skipped_s REAL NOT NULL,
            lost_s REAL NOT NULL, unknown_s REAL NOT NULL, marks INTEGER NOT NULL, end_reason TEXT,
            bytes INTEGER NOT NULL, sha256 TEXT NOT NULL, transcript_backend TEXT,
            UNIQUE (card, number, nonce))""",
        "CREATE INDEX recordings_by_time ON recordings (placed_ms)",
        """CREATE TABLE segments (
            id INTEGER PRIMARY KEY, recording TEXT NOT NULL REFERENCES recordings (id) ON DELETE CASCADE,
            start_s REAL NOT NULL, end_s REAL NOT NULL, speaker TEXT, text TEXT NOT NULL)""",
        "CREATE INDEX segments_by_recording ON segments (recording)",
    ),
    (
        "ALTER TABLE recordings ADD COLUMN ticks_us INTEGER",
        "ALTER TABLE recordings ADD COLUMN not_before TEXT",
        "ALTER TABLE recordings ADD COLUMN not_after TEXT",
        "ALTER TABLE recordings ADD COLUMN salvaged INTEGER",
        # When card.vcr had last been modified as its digest was last found right.
        "ALTER TABLE recordings ADD COLUMN intact_ns INTEGER",
    ),
    (
        "ALTER TABLE recordings ADD COLUMN title TEXT",
        "ALTER TABLE recordings ADD COLUMN tags TEXT NOT NULL DEFAULT '[]'",
        # That of the page as it was read; NULL: the files are to be made again, something cut that short.
        "ALTER TABLE recordings ADD COLUMN page_stamp TEXT",
        "DROP TABLE segments",
        # `id` grows with the time of the recording, see put_texts; `text` and `speaker` as words.py has them. `start_s` is
        # NULL where the text is a recording's title and tags.
        """CREATE TABLE segments (
            id INTEGER PRIMARY KEY, recording TEXT NOT NULL,
            start_s REAL, end_s REAL, label TEXT, speaker TEXT, text TEXT NOT NULL)""",
        """CREATE VIRTUAL TABLE passages USING fts5 (
            text, speaker, content = 'segments', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 2')""",
        """CREATE TRIGGER segment_new AFTER INSERT ON segments BEGIN
            INSERT INTO passages (rowid, text, speaker) VALUES (new.id, new.text, new.speaker); END""",
        """CREATE TRIGGER segment_gone AFTER DELETE ON segments BEGIN
            INSERT INTO passages (passages, rowid, text, speaker) VALUES ('delete', old.id, old.text, old.speaker); END""",
    ),
)
# A recording's passages have the ids from placed_ms << _SLOT_BITS on: so the newest are found without sorting.
_SLOT_BITS = 20
_LAST_SLOT = (1 << 43) - 1  # in the year 2248

_SELECT = f"SELECT {COLUMNS}, placed_ms FROM recordings"  # what Entry.of_row takes

_SAME_IN_DETAILS = (
    *("id", "card", "number", "nonce", "boot", "kind", "started", "started_how", "uncertainty_ms"),
    *("length_s", "kept_s", "speech_s", "silence_skipped_s", "lost_s", "unknown_s", "end_reason", "bytes", "sha256"),
)
_MAYBE_IN_DETAILS = ("ticks_us", "not_before", "not_after", "salvaged")  # not in those of older versions
_BUSY_S = 5
# What SQLite says when a file is not, or no longer, the database that it should be.
_DAMAGE = (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_MISMATCH)


class DamagedIndexError(LibraryError):
    """The index must be made again from the files."""


class Index:
    """Raises DamagedIndexError when the file is no index, LibraryError when it cannot be used now."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._errors():
            self._db = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
        try:
            with self._errors():
                self._db.row_factory = sqlite3.Row
                migrate(self._db, MIGRATIONS, self.transaction, path)
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        self._db.close()

    def rows(self) -> list[sqlite3.Row]:
        """All recordings, the earliest first; one without a date stands where it may have begun at the earliest."""
        return self.select(f"{_SELECT} ORDER BY placed_ms, number, id")

    def rows_of(self, card: str) -> list[sqlite3.Row]:
        return self.select(f"{_SELECT} WHERE card = ? ORDER BY number, id", card)

    def row(self, id: str) -> sqlite3.Row | None:
        return self._one(f"{_SELECT} WHERE id = ?", id)

    def find(self, card: str, number: int, nonce: str) -> sqlite3.Row | None:
        return self._one(f"{_SELECT} WHERE card = ? AND number = ? AND nonce = ?", card, number, nonce)

    def rows_like(self, key: str) -> list[sqlite3.Row]:
        """Those with number and nonce of an identity's key, whose card is not written out in it."""
        _, number, nonce = key.rsplit("-", 2)
        return self.select(f"{_SELECT} WHERE number = ? AND nonce = ?", int(number), nonce)

    def ids(self) -> list[str]:
        """All ids, the earliest recording first."""
        return [id for (id,) in self.select("SELECT id FROM recordings ORDER BY placed_ms, number, id")]

    def folders(self) -> set[str]:
        return {folder for (folder,) in self.select("SELECT folder FROM recordings")}

    def page_stamps(self) -> list[tuple[str, str | None]]:
        """(folder, stamp of its page as it was read) of all recordings."""
        return [(folder, stamp) for folder, stamp in self.select("SELECT folder, page_stamp FROM recordings")]

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; within another transaction, part of that."""
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

    def put(self, folder: str, details: dict[str, Any]) -> bool:
        """Index one recording by its checked details; False if another folder holds the same one already."""
        row = _row(folder, details)
        with self.transaction():
            old = self._one("SELECT intact_ns FROM recordings WHERE folder = ? AND sha256 = ?", folder, row["sha256"])
            self.remove([folder])
            row["intact_ns"] = old["intact_ns"] if old else None
            columns, marks = ", ".join(row), ", ".join("?" * len(row))
            insert = f"INSERT OR IGNORE INTO recordings ({columns}) VALUES ({marks})"
            return self._db.execute(insert, tuple(row.values())).rowcount == 1

    def put_texts(self, id: str, page: Page, transcript: Transcript | None, stamp: str) -> None:
        """Index what is written of a recording, in place of what was: by the page of this stamp, and the transcript."""
        tags = json.dumps(page.tags, ensure_ascii=False)
        backend = transcript.backend if transcript else None
        passages = list(_passages(id, page, transcript))
        with self.transaction():
            update = "UPDATE recordings SET title = ?, tags = ?, page_stamp = ?, transcript_backend = ? WHERE id = ?"
            self._db.execute(update, (page.title, tags, stamp, backend, id))
            row = self.row(id)
            if row is None:
                return
            # Recordings of the same millisecond share its slot, by their ids: what is found must not hang on who came first.
            first, end = slot(row["placed_ms"]), slot(row["placed_ms"], after=True)
            others = "SELECT * FROM segments WHERE id >= ? AND id < ? AND recording != ? ORDER BY id"
            passages += [tuple(other)[1:] for other in self.select(others, first, end, id)]
            if len(passages) > end - first:
                raise ValueError("too many segments")
            passages.sort(key=itemgetter(0))
            self._db.execute("DELETE FROM segments WHERE id >= ? AND id < ?", (first, end))
            numbered = ((number, *passage) for number, passage in enumerate(passages, start=first))
            self._db.executemany("INSERT INTO segments VALUES (?, ?, ?, ?, ?, ?, ?)", numbered)

    def set_page_stamp(self, id: str, stamp: str | None) -> None:
        with self.transaction():
            self._db.execute("UPDATE recordings SET page_stamp = ? WHERE id = ?", (stamp, id))

    def intact_ns(self, id: str) -> int | None:
        row = self._one("SELECT intact_ns FROM recordings WHERE id = ?", id)
        return row["intact_ns"] if row else None

    def set_intact(self, id: str, modified_ns: int | None) -> None:
        with self.transaction():
            self._db.execute("UPDATE recordings SET intact_ns = ? WHERE id = ?", (modified_ns, id))

    def move(self, folder: str, new: str) -> None:
        with self.transaction():
            self._db.execute("UPDATE recordings SET folder = ? WHERE folder = ?", (new, folder))

    def remove(self, folders: Iterable[str]) -> None:
        with self.transaction():
            for folder in folders:
                for id, placed_ms in self.select("SELECT id, placed_ms FROM recordings WHERE folder = ?", folder):
                    span = slot(placed_ms), slot(placed_ms, after=True)
                    self._db.execute("DELETE FROM segments WHERE id >= ? AND id < ? AND recording = ?", (*span, id))
                    self._db.execute("DELETE FROM recordings WHERE id = ?", (id,))

    def select(self, query: str, *values: str | int) -> list[sqlite3.Row]:
        with self._errors():
            return self._db.execute(query, values).fetchall()

    def _one(self, query: str, *values: str | int) -> sqlite3.Row | None:
        return next(iter(self.select(query, *values)), None)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if _is_damage(error):
                what = f"the index {self._path} is damaged ({error}); remove it, it is made again from the files"
                raise DamagedIndexError(what) from error
            raise LibraryError(f"the index {self._path} cannot be used now ({error}); try again") from error


def _row(folder: str, details: dict[str, Any]) -> dict[str, Any]:
    maybe = {name: details.get(name) for name in _MAYBE_IN_DETAILS}
    times = (details["started"], maybe["not_before"], maybe["not_after"], details["received"])
    placed = datetime.fromisoformat(next(filter(None, times)))
    row = {name: details[name] for name in _SAME_IN_DETAILS} | maybe
    return row | {"folder": folder, "placed_ms": round(placed.timestamp() * 1000), "marks": len(details["marks"])}


def slot(placed_ms: int, after: bool = False) -> int:
    """The id of the first passage of the recordings placed there, or after those."""
    return min(max(placed_ms, 0), _LAST_SLOT) + after << _SLOT_BITS


def _passages(id: str, page: Page, transcript: Transcript | None) -> Iterator[tuple[Any, ...]]:
    """The rows of a recording in `segments` without their ids: its title and tags first."""
    about = to_index(" ".join([page.title or "", *(f"#{tag}" for tag in page.tags)]))
    if about:
        yield id, None, None, None, None, about
    names = {label: to_index(name) for label, name in page.speakers.items()}
    for segment in transcript.segments if transcript else ():
        if text := to_index(segment.text):
            label = segment.speaker
            speaker = None if label is None else names.get(label) or to_index(label)
            yield id, segment.start_s, segment.end_s, label, speaker, text


def _is_damage(error: sqlite3.Error) -> bool:
    code: int | None = getattr(error, "sqlite_errorcode", None)
    # Python's own complaint, without a code, is about text that is none.
    return isinstance(error, sqlite3.OperationalError) if code is None else code & 0xFF in _DAMAGE
