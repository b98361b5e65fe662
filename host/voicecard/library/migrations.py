"""A database of any age is brought up to date: steps that are only ever appended, each in a transaction with its number."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from voicecard.errors import LibraryError

Steps = Sequence[Sequence[str]]


def migrate(
    db: sqlite3.Connection, steps: Steps, transaction: Callable[[], AbstractContextManager[None]], path: Path
) -> None:
    """Take the steps that the database lacks. Raises LibraryError if it has more than there are."""
    for step, statements in enumerate(steps):
        if _version(db) > step:
            continue
        with transaction():
            # Another process may have been faster.
            if _version(db) == step:
                for statement in statements:
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {step + 1}")
    if _version(db) > len(steps):
        raise LibraryError(f"{path} was made by a newer voicecard; update this one")


def _version(db: sqlite3.Connection) -> int:
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    return version
