"""What its owner has thrown away: folders under trash/, emptied after 30 days, and a list, removed.json, that is kept for ever.

    {"version": 1, "removed": [{"card": "k3f92b", "number": 12, "nonce": "0011...", "id": "k3f92b-12",
                                "removed": "2026-11-22T05:09:00+00:00", "folder": "2026/2026-11-22 05.09 k3f92b-12"}]}

The list is written before anything moves: what is in it is not asked for from a card again, whether it lies in the trash still or no
longer. `folder` is where the recording's folder was; in the trash it has its last part."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from voicecard.errors import LibraryError
from voicecard.library.details import Identity
from voicecard.library.entry import Entry
from voicecard.library.files import read_json, sync_directory, write_json
from voicecard.library.lock import WriteLock

VERSION = 1
KEPT = timedelta(days=30)
Now = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Thrown:
    """A recording in the trash: when it was thrown away, and where it lies."""

    id: str
    removed: datetime
    folder: Path

    @property
    def erased(self) -> datetime:
        """When it will be."""
        return self.removed + KEPT


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Trash:
    """Of the library at `path`. Its writing methods want the library's lock held; they raise OSError, LibraryError."""

    def __init__(self, path: Path, lock: WriteLock, now: Now = _utc_now) -> None:
        self._list = path / "removed.json"
        self._folder = path / "trash"
        self._recordings = path / "recordings"
        self._lock = lock
        self._now = now

    def identities(self) -> set[Identity]:
        """Of everything that was ever thrown away and not taken back."""
        return {Identity(one["card"], one["number"], one["nonce"]) for one in self._removed()}

    def throw_away(self, entry: Entry) -> None:
        with self._lock:
            place = entry.folder.relative_to(self._recordings).as_posix()
            one = {"card": entry.card, "number": entry.number, "nonce": entry.nonce, "id": entry.id}
            others = [other for other in self._removed() if other["nonce"] != entry.nonce]
            self._write([*others, {**one, "removed": self._now().isoformat(timespec="seconds"), "folder": place}])
            self._folder.mkdir(exist_ok=True)
            self._move(entry.folder, self._folder / entry.folder.name)

    def take_back(self, id: str) -> Path:
        """Put the folder of that recording back where it was; returns it. Raises LibraryError if it is not there any more."""
        with self._lock:
            removed = self._removed()
            for one in removed:
                place = self._recordings / str(one["folder"])
                lies = self._folder / place.name
                if one["id"] == id and lies.is_dir():
                    place.parent.mkdir(exist_ok=True)
                    self._move(lies, place)
                    self._write([other for other in removed if other is not one])
                    return place
        raise LibraryError(f"the trash has no recording {id!r}: it keeps what was thrown away for {KEPT.days} days")

    def content(self) -> list[Thrown]:
        """What can be taken back, the last thrown away first."""
        found = []
        for one in reversed(self._removed()):
            lies = self._folder / Path(one["folder"]).name
            if lies.is_dir():
                found.append(Thrown(one["id"], datetime.fromisoformat(one["removed"]), lies))
        return found

    def empty(self) -> None:
        """Erase what has lain there for long enough."""
        for thrown in self.content():
            if self._now() >= thrown.erased:
                with self._lock:
                    shutil.rmtree(thrown.folder)

    def _removed(self) -> list[dict[str, Any]]:
        """The list. Raises LibraryError if it cannot be read: what was thrown away would come again."""
        if not self._list.exists():
            return []
        try:
            removed = read_json(self._list)["removed"]
            for one in removed:
                _check(one)
        except (ValueError, KeyError, TypeError) as error:
            raise LibraryError(
                f"{self._list} is damaged ({error!r}): move it away, and what was thrown away comes again from cards that have it"
            ) from error
        return list(removed)

    def _write(self, removed: list[dict[str, Any]]) -> None:
        write_json(self._list, {"version": VERSION, "removed": removed})

    def _move(self, folder: Path, to: Path) -> None:
        if to.exists():
            shutil.rmtree(to)  # an earlier one of the same name, taken back and thrown away again
        folder.rename(to)
        for parent in (to.parent, folder.parent):
            sync_directory(parent)


def _check(one: dict[str, Any]) -> None:
    datetime.fromisoformat(one["removed"])
    if ".." in Path(one["folder"]).parts or Path(one["folder"]).is_absolute() or len(Path(one["folder"]).parts) != 2:
        raise ValueError(f"{one['folder']} is no recording's folder")
    _ = one["id"], one["card"], one["number"], one["nonce"]
