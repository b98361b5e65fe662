"""The index only grows from version to version, and answers alone."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from voicecard.errors import LibraryError
from voicecard.library import archive, index
from voicecard.library.archive import Library
from voicecard.library.index import Index
from voicecard.library.page import Page


def details(number: int) -> dict[str, Any]:
    lengths = dict.fromkeys(("length_s", "kept_s", "speech_s", "silence_skipped_s", "lost_s", "unknown_s"), 1.5)
    started = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=number)
    return {
        **{"id": f"k3f92b-{number}", "card": "k3f92b", "number": number, "nonce": f"{number:016x}", "boot": 1},
        **{"kind": "recording", "started": started.isoformat(), "started_how": "card clock", "uncertainty_ms": 5},
        **{"received": started.isoformat(), "marks": [], "end_reason": "key", "bytes": 4096, "sha256": "0" * 64},
        **lengths,
    }


def test_an_older_index_gets_the_steps_it_lacks_and_keeps_its_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "library.db"
    with closing(Index(path)) as old:
        old.put("2026/a", details(1))
    more = (("ALTER TABLE recordings ADD COLUMN nickname TEXT",), ("UPDATE recordings SET nickname = 'none'",))
    monkeypatch.setattr(index, "MIGRATIONS", index.MIGRATIONS + more)
    with closing(Index(path)) as new:
        (row,) = new.select("SELECT * FROM recordings")
        assert (row["id"], row["nickname"]) == ("k3f92b-1", "none")


def test_a_step_that_fails_is_not_half_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "library.db"
    Index(path).close()
    steps = (("ALTER TABLE recordings ADD COLUMN nickname TEXT", "no statement"),)
    with monkeypatch.context() as patch:
        patch.setattr(index, "MIGRATIONS", index.MIGRATIONS + steps)
        with pytest.raises(LibraryError):
            Index(path)
    with closing(sqlite3.connect(path)) as db:
        assert "nickname" not in {name for _, name, *_ in db.execute("PRAGMA table_info(recordings)")}
    Index(path).close()


def test_an_index_of_a_newer_voicecard_is_left_alone(tmp_path: Path) -> None:
    Library(tmp_path).close()
    path = tmp_path / "library.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    with pytest.raises(LibraryError, match="newer voicecard"):
        Library(tmp_path)
    assert path.read_bytes() == before


def test_a_large_library_is_listed_without_opening_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Library(tmp_path).close()
    with closing(Index(tmp_path / "library.db")) as filled, filled.transaction():
        for number in range(2000):
            filled.put(f"2026/{number}", details(number))
            filled.put_texts(f"k3f92b-{number}", Page(), None, "")
            (tmp_path / "recordings/2026" / str(number)).mkdir(parents=True)

    def refuse(*_: object) -> None:
        raise AssertionError("a file was opened")

    monkeypatch.setattr(archive, "details_of", refuse)
    with Library(tmp_path) as library:
        assert [entry.number for entry in library.entries()] == list(range(2000))
