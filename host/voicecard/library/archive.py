"""The library: a folder of plain files, one writer at a time, with an index that is made again whenever it must be.

library.json                        version, and this library's own id: six hex digits, made once
library.db                          the index; may be deleted
library.lock                        held by whoever writes
clocks.json                         what wall time the cards' ticks meant
incoming/KEY.vcr.part               a recording on its way in
incoming/KEY.whole.json             it is all there, and perhaps proved
incoming/KEY.salvaged.part          one that is put together from an image of a card's flash
incoming/KEY.new/                   one that is whole and about to be filed
recordings/2026/2026-11-22 05.09 k3f92b-12/
    card.vcr                        the card's own bytes
    recording.json audio.flac transcript.json transcript.md
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from voicecard.errors import FormatError, LibraryError, VoicecardError
from voicecard.library import placing
from voicecard.library.clocks import Clocks, Reading
from voicecard.library.details import (
    DETAILS,
    ORIGINAL,
    TRANSCRIPT,
    TRANSCRIPT_TEXT,
    UNDATED,
    Identity,
    checked_identity,
    folder_name,
    free_id,
)
from voicecard.library.entry import TIMES, Entry
from voicecard.library.files import disk_errors, file_digest, read_json, write_json, write_whole
from voicecard.library.filing import details_of, make_audio, place
from voicecard.library.incoming import STAGED, WHOLE, Incoming
from voicecard.library.index import DamagedIndexError, Index
from voicecard.library.lock import WriteLock
from voicecard.library.lookup import look_up

VERSION = 1
T = TypeVar("T")


def default_path() -> Path:
    """VOICECARD_HOME, or a folder that a user finds: ~/voicecard."""
    home = os.environ.get("VOICECARD_HOME")
    return Path(home) if home else Path.home() / "voicecard"


class Library:
    """Use it in a `with` block, or close it. Opening makes the folder if need be, files what an earlier run left whole,
    and takes into the index what was put into the folder, or taken out, by other means.

    All methods raise LibraryError when the disk refuses or another voicecard is writing."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = (path or default_path()).expanduser().absolute()
        self._recordings = self.path / "recordings"
        self._incoming = self.path / "incoming"
        self._lock = WriteLock(self.path / "library.lock")
        self._clocks = Clocks(self.path / "clocks.json")
        with disk_errors(self.path):
            self._recordings.mkdir(parents=True, exist_ok=True)
            self._incoming.mkdir(exist_ok=True)
            self.id = self._own_id()
        try:
            self._index = Index(self.path / "library.db")
        except DamagedIndexError:
            with self._lock:
                self._index = self._new_index()
        try:
            self._catch_up()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Library:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        self._index.close()

    def writing(self) -> WriteLock:
        """`with library.writing():` keeps other writers out for a whole session; single writes lock by themselves."""
        return self._lock

    def find(self, card: str, number: int, nonce: str) -> Entry | None:
        """This recording, if it is here with all its bytes."""
        return self._ask(lambda index: self._whole_entry(index.find(card, number, nonce)))

    def is_intact(self, entry: Entry) -> bool:
        """Whether the card's file still is the one that was filed; it is read again only if something has touched it since."""
        with disk_errors(entry.original):
            modified_ns = entry.original.stat().st_mtime_ns
            if self._ask(lambda index: index.intact_ns(entry.id)) == modified_ns:
                return True
            if file_digest(entry.original) != entry.sha256:
                return False
        with self._lock:
            self._index.set_intact(entry.id, modified_ns)
        return True

    def begin(self, card: str, number: int, nonce: str, salvage: bool = False) -> Incoming:
        """Take in a recording, from where an earlier attempt stopped; `with library.begin(...) as incoming:`. A salvage
        always begins anew, beside what was pulled before.

        Holds the write lock until it is finished, discarded or closed. `nonce` is 16 hex digits."""
        return Incoming(self, self._lock, self._incoming, checked_identity(card, number, nonce), salvage)

    def confirm(self, entry: Entry) -> None:
        """A card has agreed to the digest of what was salvaged."""
        with self._lock, disk_errors(entry.folder):
            self._amend(entry, {"salvaged": False})

    def note_clock(self, card: str, boot: int, reading: Reading) -> None:
        """Remember what wall time a card's ticks mean."""
        with self._lock, disk_errors(self.path):
            self._clocks.note(card, boot, reading)

    def dating(self, card: str, boot: int | None, ticks_us: int | None) -> dict[str, Any]:
        """The fields of recording.json that date a recording by its card's ticks; none if they do not tell."""
        return placing.by_ticks(boot, ticks_us, self._readings(card))

    def place_in_time(self, card: str) -> None:
        """Date the card's recordings that have no date so far as the clocks now tell, or say between which times they lie."""
        with self._lock, disk_errors(self.path):
            entries = self._of_card(card)
            undated = [entry for entry in entries if not entry.started]
            if not undated:
                return
            readings = placing.readings_of(entries, self._clocks.readings(card))
            for entry in undated:
                with suppress(FormatError):
                    self._amend(entry, placing.by_ticks(entry.boot, entry.ticks_us, readings))
            others = self._of_card(card)
            for entry in others:
                if not entry.started:
                    with suppress(FormatError):
                        received = datetime.fromisoformat(self._details(entry)["received"])
                        self._amend(entry, placing.between(entry, received, others, readings))

    def entries(self) -> list[Entry]:
        """All recordings, the earliest first; one without a date stands where it may have begun at the earliest."""
        return self._ask(lambda index: [self._entry(row) for row in index.rows()])

    def entry(self, id: str) -> Entry:
        """The recording with this id, the only one that `id` is a part, the start or the end of, or the `latest`."""
        return self._ask(lambda index: self._entry(look_up(index, id)))

    def save_transcript(self, entry: Entry, transcript: dict[str, Any], markdown: str) -> None:
        """Keep a transcript beside its recording and index its segments. Raises ValueError if it is none."""
        with self._lock, disk_errors(entry.folder), self._index.transaction():
            self._index.put_transcript(entry.id, transcript)
            write_json(entry.folder / TRANSCRIPT, transcript)
            write_whole(entry.folder / TRANSCRIPT_TEXT, markdown.encode())

    def rebuild(self) -> None:
        """Make the index again from the files."""
        with self._lock:
            self._index.close()
            self._index = self._new_index()
            self._take_in(self._folders())

    def id_for(self, identity: Identity) -> str:
        """The id that a recording has, or will have, for people."""
        row = self._index.find(*identity)
        # A folder that could not be indexed keeps its name, too.
        taken = [*self._index.ids(), *(folder.rpartition(" ")[2] for folder in self._folders())]
        return str(row["id"]) if row else free_id(identity, taken)

    def file(self, staged: Path) -> Entry:
        """Move a staged recording to its place and index it. At a cut or a full disk it stays staged, whole."""
        with self._lock, disk_errors(self.path):
            content = details_of(staged, self.id_for)
            make_audio(staged)
            row = self._index.find(content["card"], content["number"], content["nonce"])
            folder = row["folder"] if row else folder_name(content)
            place(staged, self._recordings / folder)
            with self._index.transaction():
                self._take_in([folder])
                self._index.set_intact(content["id"], (self._recordings / folder / ORIGINAL).stat().st_mtime_ns)
        return self.entry(content["id"])

    def _of_card(self, card: str) -> list[Entry]:
        return self._ask(lambda index: [self._entry(row) for row in index.rows_of(card)])

    def _readings(self, card: str) -> placing.Readings:
        return placing.readings_of(self._of_card(card), self._clocks.readings(card))

    def _amend(self, entry: Entry, changes: dict[str, Any]) -> None:
        """Change fields of a recording's details; one that gets its date moves to where that belongs. Raises FormatError."""
        if all(entry.summary()[name] == value for name, value in changes.items()):
            return
        content = self._details(entry) | changes
        write_json(entry.folder / DETAILS, content)
        folder = self._recordings / folder_name(content)
        if entry.folder.parent.name != UNDATED or folder.exists():
            folder = entry.folder
        else:
            folder.parent.mkdir(exist_ok=True)
            entry.folder.rename(folder)
        intact_ns = self._index.intact_ns(entry.id)
        with self._index.transaction():
            self._index.remove([entry.folder.relative_to(self._recordings).as_posix()])
            self._take_in([folder.relative_to(self._recordings).as_posix()])
            self._index.set_intact(entry.id, intact_ns)

    def _details(self, entry: Entry) -> dict[str, Any]:
        """Its recording.json, made again if it is damaged. Raises FormatError if that cannot be done."""
        return details_of(entry.folder, self.id_for)

    def _own_id(self) -> str:
        path = self.path / "library.json"
        if not path.exists():
            with self._lock:
                if not path.exists():
                    write_json(path, {"version": VERSION, "id": secrets.token_hex(3)})
        try:
            about = read_json(path)
        except ValueError:
            about = {}
        id, version = about.get("id"), about.get("version")
        if not isinstance(version, int) or not isinstance(id, str) or not re.fullmatch("[0-9a-f]{6}", id):
            raise LibraryError(f"{path} is damaged; move it away, and a new one is made")
        if version > VERSION:
            raise LibraryError(f"the library {self.path} was made by a newer voicecard; update this one")
        return id

    def _new_index(self) -> Index:
        with disk_errors(self.path):
            for name in ("library.db", "library.db-journal"):
                (self.path / name).unlink(missing_ok=True)
        return Index(self.path / "library.db")

    def _ask(self, query: Callable[[Index], T]) -> T:
        """Answer from the index; if it turns out damaged, from a new one."""
        try:
            return query(self._index)
        except (DamagedIndexError, ValueError, IndexError):
            # SQLite finds damage in its structure, not in a date or a column's name.
            self.rebuild()
            return query(self._index)

    def _catch_up(self) -> None:
        """Bring filing and index up to what lies in the folders."""
        staged, whole = (list(self._incoming.glob("*" + ending)) for ending in (STAGED, WHOLE))
        known, there = self._ask(lambda index: index.folders()), self._folders()
        if not staged and not whole and known == there:
            return
        try:
            with self._lock:
                self._index.remove(known - there)
                self._take_in(there - known)
                self._file_all(staged)
                self._file_whole(whole)
        except VoicecardError:
            # Reading must go on beside a writer or on a full disk; the next opening tries again.
            return

    def _file_all(self, staged: Iterable[Path]) -> None:
        for folder in staged:
            if (folder / ORIGINAL).exists():
                self.file(folder)
            else:
                shutil.rmtree(folder, ignore_errors=True)

    def _file_whole(self, notes: Iterable[Path]) -> None:
        """File what had come in whole when an earlier run ended: the card may count it as held here."""
        for note in notes:
            try:
                about = read_json(note)
                identity = checked_identity(about["card"], about["number"], about["nonce"])
            except (OSError, ValueError, KeyError, TypeError, LibraryError):
                with disk_errors(note):
                    note.unlink(missing_ok=True)
                continue
            with self.begin(*identity) as incoming:
                incoming.finish_left_whole()

    def _folders(self) -> set[str]:
        """Every `year/recording` below recordings/, by names alone."""
        with disk_errors(self._recordings):
            years = [year for year in os.scandir(self._recordings) if year.is_dir()]
            return {f"{year.name}/{item.name}" for year in years for item in os.scandir(year) if item.name[0] != "."}

    def _take_in(self, folders: Iterable[str]) -> None:
        with self._index.transaction():
            for folder in sorted(folders):
                self._index_folder(folder)

    def _index_folder(self, folder: str) -> None:
        """Index what the files of one folder say; one that holds no recording, or a copy, is passed over."""
        path = self._recordings / folder
        try:
            content = details_of(path, self.id_for)
        except (FormatError, OSError):
            return
        if self._index.put(folder, content):
            try:
                self._index.put_transcript(content["id"], read_json(path / TRANSCRIPT))
            except (OSError, ValueError):
                # None yet, or a damaged one: `Entry.transcript` tells.
                return

    def _whole_entry(self, row: sqlite3.Row | None) -> Entry | None:
        if row is None:
            return None
        entry = self._entry(row)
        try:
            return entry if entry.original.stat().st_size == entry.bytes else None
        except OSError:
            return None

    def _entry(self, row: sqlite3.Row) -> Entry:
        fields = {name: row[name] for name in Entry.__slots__}
        fields["folder"] = self._recordings / row["folder"]
        fields |= {name: datetime.fromisoformat(row[name]) if row[name] else None for name in TIMES}
        fields["salvaged"] = bool(row["salvaged"])
        return Entry(**fields)
