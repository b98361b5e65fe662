"""The library: a folder of plain files, one writer at a time, with an index that is made again whenever it must be.

library.json                        version, and this library's own id: six hex digits, made once
library.db                          the index; may be deleted
library.lock                        held by whoever writes
clocks.json                         what wall time the cards' ticks meant
incoming/KEY.vcr.part               a recording on its way in
incoming/KEY.whole.json             it is all there, and perhaps proved
incoming/KEY.salvaged.part          one that is put together from an image of a card's flash
incoming/KEY.import/                a file that was imported, and of which a recording is yet to be made
incoming/KEY.new/                   one that is whole and about to be filed
trash/ removed.json                 what was thrown away, see trash.py
recordings/2026/2026-11-22 05.09 k3f92b-12/
    card.vcr                        the card's own bytes
    audio.flac                      the sound, silence put back where it was
    recording.json                  what is known of it
    transcript.md                   a page for people, who may edit it: title, tags, speakers' names, notes, what was said
    transcript.json                 the words with their times
    transcript.srt transcript.vtt   subtitles
    summary.json                    what it is about, in short; it is on the page, too
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from voicecard.errors import FormatError, LibraryError, VoicecardError
from voicecard.library import edits, placing
from voicecard.library.clocks import Clocks, Reading
from voicecard.library.details import (
    DETAILS,
    IMPORTED,
    PAGE,
    SUMMARY,
    TRANSCRIPT,
    UNDATED,
    Identity,
    checked_identity,
    folder_name,
    free_id,
    original_in,
)
from voicecard.library.entry import Entry
from voicecard.library.files import disk_errors, file_digest, read_json, write_json
from voicecard.library.filing import details_of, make_audio, place
from voicecard.library.incoming import STAGED, WHOLE, Incoming
from voicecard.library.index import DamagedIndexError, Index
from voicecard.library.lock import WriteLock
from voicecard.library.lookup import look_up
from voicecard.library.search import Hit, Wanted, search
from voicecard.library.texts import Edit, page_stamp, read_page, read_transcript, write_texts
from voicecard.library.trash import Trash
from voicecard.summary import Summary
from voicecard.transcript import Transcript

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
        self.trash = Trash(self.path, self._lock)
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
            self._notice_edits()
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

    def imported(self, sha256: str) -> Entry | None:
        """The recording that was made of a file with this digest."""
        return next((entry for entry in self._of_card(IMPORTED) if entry.sha256 == sha256), None)

    def free_number(self) -> int:
        """For the next recording that no card has made: none that one here has, or one in the trash."""
        taken = [entry.number for entry in self._of_card(IMPORTED)]
        taken += [one.number for one in self.trash.identities() if one.card == IMPORTED]
        names = [re.match(rf"{IMPORTED}-([0-9]+)-", path.name) for path in self._incoming.iterdir()]
        return 1 + max(taken + [int(name[1]) for name in names if name], default=0)

    @property
    def incoming(self) -> Path:
        """Where recordings are until they are filed; on the same disk."""
        return self._incoming

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

    def by_key(self, key: str) -> Entry | None:
        """The recording whose identity has this key."""
        return self._ask(lambda index: next((e for e in map(self._entry, index.rows_like(key)) if e.key == key), None))

    def search(self, wanted: Wanted, limit: int = 20) -> list[Hit]:
        """Passages in which it was said, the best first; see search.py."""
        return self._ask(lambda index: search(index, self._recordings, wanted, limit))

    def save_transcript(self, entry: Entry, transcript: Transcript) -> Entry:
        """Keep a transcript beside its recording, in place of an earlier one, make page and subtitles, and index it.

        What a person wrote on the page stays. Raises ValueError for what JSON cannot hold."""
        with self._rewriting(entry):
            write_json(entry.folder / TRANSCRIPT, transcript.to_json())
            write_texts(entry.folder, self._details(entry))
        return self.entry(entry.id)

    def save_summary(self, entry: Entry, summary: Summary) -> Entry:
        """Keep a summary beside its recording, in place of an earlier one, and put it on the page."""
        with self._rewriting(entry):
            write_json(entry.folder / SUMMARY, summary.to_json())
            write_texts(entry.folder, self._details(entry))
        return self.entry(entry.id)

    def set_title(self, entry: Entry, title: str | None) -> Entry:
        """Say what a recording is called; nothing takes the title away."""
        return self._edit(entry, edits.titled(title))

    def add_tags(self, entry: Entry, tags: Iterable[str]) -> Entry:
        return self._edit(entry, edits.tagged(tags))

    def remove_tags(self, entry: Entry, tags: Iterable[str]) -> Entry:
        return self._edit(entry, edits.untagged(tags))

    def name_speaker(self, entry: Entry, label: str, name: str | None) -> Entry:
        """Say who a label of the transcript is; instead of it the name given before will do. Nothing takes the name away."""
        return self._edit(entry, edits.speaker_named(entry, label, name))

    def remove(self, entry: Entry) -> None:
        """Move a recording to the trash, for 30 days. No sync brings it in again."""
        with self._lock, disk_errors(entry.folder):
            self.trash.throw_away(entry)
            self._index.remove([self._name(entry.folder)])

    def take_back(self, id: str) -> Entry:
        """Move a recording out of the trash, to where it was."""
        with self._lock, disk_errors(self.path):
            self._take_in([self._name(self.trash.take_back(id))])
        return self.entry(id)

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
            self._index.set_page_stamp(content["id"], None)
            place(staged, self._recordings / folder)
            with self._index.transaction():
                self._take_in([folder], again=True)
                if original := original_in(self._recordings / folder):
                    self._index.set_intact(content["id"], original.stat().st_mtime_ns)
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
        folder = self._recordings / folder_name(content)
        if entry.folder.parent.name == UNDATED and not folder.exists():
            folder.parent.mkdir(exist_ok=True)
            entry.folder.rename(folder)
            self._index.move(self._name(entry.folder), self._name(folder))
            entry = entry._replace(folder=folder)
        with self._rewriting(entry):
            write_json(entry.folder / DETAILS, content)

    def _edit(self, entry: Entry, change: Edit) -> Entry:
        with self._rewriting(entry):
            try:
                write_texts(entry.folder, self._details(entry), change)
            except ValueError as error:
                raise LibraryError(f"{entry.folder / PAGE} cannot say this ({error}); say it shorter") from error
        return self.entry(entry.id)

    @contextmanager
    def _rewriting(self, entry: Entry) -> Iterator[None]:
        """Change files of a recording, then index it again. Where this is cut short, the next opening does the rest."""
        with self._lock, disk_errors(entry.folder):
            self._index.set_page_stamp(entry.id, None)
            yield
            self._take_in([self._name(entry.folder)], again=True)

    def _name(self, folder: Path) -> str:
        return folder.relative_to(self._recordings).as_posix()

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
        except (DamagedIndexError, ValueError, TypeError):
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
            if original_in(folder):
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

    def _notice_edits(self) -> None:
        """Index again each recording whose page is another than was indexed, and finish what was cut short."""
        stamps = self._ask(lambda index: index.page_stamps())
        changed = [row for row in stamps if page_stamp(f"{self._recordings}/{row[0]}") != row[1]]
        with suppress(VoicecardError):  # as in catching up
            if changed:
                with self._lock:
                    self._take_in([folder for folder, stamp in changed if stamp is not None])
                    self._take_in([folder for folder, stamp in changed if stamp is None], again=True)

    def _take_in(self, folders: Iterable[str], again: bool = False) -> None:
        with self._index.transaction():
            for folder in sorted(folders):
                self._index_folder(folder, again)

    def _index_folder(self, folder: str, again: bool) -> None:
        """Index what the files of one folder say; one that holds no recording, or a copy, is passed over.

        Page and subtitles are made if there is no page, and `again`."""
        path = self._recordings / folder
        try:
            content = details_of(path, self.id_for)
        except (FormatError, OSError):
            return
        if not self._index.put(folder, content):
            return
        if again or not (path / PAGE).exists():
            with suppress(OSError, LibraryError, ValueError):  # the recording itself must never wait for them
                write_texts(path, content)
        stamp = page_stamp(path)
        page = read_page(path, content)
        try:
            self._index.put_texts(content["id"], page, read_transcript(path), stamp)
        except ValueError:  # more segments than twelve hours can hold
            self._index.put_texts(content["id"], page, None, stamp)

    def _whole_entry(self, row: sqlite3.Row | None) -> Entry | None:
        if row is None:
            return None
        entry = self._entry(row)
        try:
            return entry if entry.original.stat().st_size == entry.bytes else None
        except OSError:
            return None

    def _entry(self, row: sqlite3.Row) -> Entry:
        return Entry.of_row(row, str(self._recordings))
