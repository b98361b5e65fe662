"""One recording of the library, as the index knows it, and the way to its files."""

from __future__ import annotations

import json
import sqlite3
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from voicecard.errors import LibraryError
from voicecard.library import details
from voicecard.library.files import read_json
from voicecard.library.texts import read_page

if TYPE_CHECKING:
    from voicecard.library.recording import Recording
    from voicecard.library.sound import KeptSound, Samples, Silence

TIMES = ("started", "not_before", "not_after")


class Entry(NamedTuple):
    """Fields as in recording.json (details.py describes them), title and tags as on its page; `marks` is their number.

    A tuple, for a list of ten thousand is made while somebody waits."""

    id: str
    folder: Path
    title: str | None
    tags: tuple[str, ...]
    card: str
    number: int
    nonce: str
    boot: int | None
    ticks_us: int | None
    kind: str
    started: datetime | None
    started_how: str
    uncertainty_ms: int | None
    not_before: datetime | None
    not_after: datetime | None
    length_s: float
    kept_s: float
    speech_s: float
    silence_skipped_s: float
    lost_s: float
    unknown_s: float
    marks: int
    end_reason: str | None
    bytes: int
    sha256: str
    salvaged: bool
    transcript_backend: str | None

    @classmethod
    def of_row(cls, row: sqlite3.Row, recordings: str) -> Entry:
        """From a row of the index whose first columns are COLUMNS; `recordings` is the folder of all.

        Raises ValueError, TypeError for what none of ours wrote."""
        values = list(row)[: len(cls._fields)]
        values[_FOLDER] = Path(f"{recordings}/{values[_FOLDER]}")
        values[_TAGS] = tuple(json.loads(values[_TAGS])) if values[_TAGS] != "[]" else ()
        values[_SALVAGED] = bool(values[_SALVAGED])
        for at in _TIMES:
            if values[at] is not None:
                values[at] = datetime.fromisoformat(values[at])
        return cls._make(values)

    @property
    def key(self) -> str:
        """Of its identity: unlike the id, no other recording has ever had it, or will."""
        return details.Identity(self.card, self.number, self.nonce).key

    @property
    def original(self) -> Path:
        """The card's file, or the one that was imported."""
        if self.card != details.IMPORTED:
            return self.folder / details.ORIGINAL
        return details.original_in(self.folder) or self.folder / "original"

    @property
    def audio(self) -> Path:
        return self.folder / details.AUDIO

    def recording(self) -> Recording:
        """The card's file, read. Raises FormatError."""
        from voicecard.library.recording import read_recording

        return read_recording(self.original)

    def samples(self, silence: Silence = "keep") -> Samples:
        """int16 samples at the recording's rate; `keep`: the true time line, `trim`: kept sound. Raises FormatError."""
        from voicecard.library.sound import samples

        return samples(self.recording(), silence)

    def sound(self) -> KeptSound:
        """What there is to hear. Raises FormatError, LibraryError."""
        from voicecard.library import sound

        if self.card == details.IMPORTED:
            return sound.of_file(self.audio)
        return sound.of_recording(self.recording())

    def details(self) -> dict[str, Any]:
        """The content of recording.json. Raises LibraryError."""
        return _read(self.folder / details.DETAILS)

    def transcript(self) -> dict[str, Any] | None:
        """The content of transcript.json, None if there is none. Raises LibraryError if it is damaged."""
        path = self.folder / details.TRANSCRIPT
        return _read(path) if path.exists() else None

    def speakers(self) -> dict[str, str]:
        """The names that people gave, by the labels in the transcript."""
        return dict(read_page(self.folder, self.details()).speakers)

    def summary(self) -> dict[str, Any]:
        """What `ls --json` prints: the fields, as JSON has them."""
        fields = self._asdict()
        times = {name: fields[name].isoformat() if fields[name] else None for name in TIMES}
        return fields | times | {"folder": str(self.folder), "tags": list(self.tags)}


def _read(path: Path) -> dict[str, Any]:
    try:
        return read_json(path)
    except (OSError, ValueError) as error:
        raise LibraryError(f"{path} cannot be read ({error}); restore it, or move it away") from error


_FOLDER, _TAGS, _SALVAGED = map(Entry._fields.index, ("folder", "tags", "salvaged"))
_TIMES = tuple(map(Entry._fields.index, TIMES))
COLUMNS = ", ".join(f"recordings.{name}" for name in Entry._fields)
