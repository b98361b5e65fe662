"""Salvage from an image of a card's storage: every recording of which something can still be read is filed.

A recording's sectors are put in the order of their numbers. A sector whose header no longer reads but which holds valid blocks
goes where its neighbours leave no doubt; without such neighbours it becomes a recording of its own. Nothing readable is dropped."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from voicecard.errors import FormatError, LibraryError
from voicecard.firmware.wire import sector
from voicecard.firmware.wire.sector import SECTOR_BYTES
from voicecard.library.archive import Library
from voicecard.library.details import Identity
from voicecard.library.entry import Entry
from voicecard.library.survey import Piece, Survey, survey

Progress = Callable[[str, int, int], None]


@dataclass(slots=True)
class SalvageReport:
    """What an image held, counted in sectors, and what became of its recordings."""

    sectors: int
    free_sectors: int
    senseless_sectors: int
    attached_sectors: int
    new: list[Entry] = field(default_factory=list)
    known: int = 0
    nameless: int = 0


def salvage(
    path: Path, offset: int, sectors: int, library: Library, on_progress: Progress | None = None
) -> SalvageReport:
    """File what can be read of the `sectors` sectors at `offset` in a file; `on_progress(name, done, total)`.

    A recording that the library holds is left as it is, unless its file went bad, or was salvaged, too, and is shorter. Raises
    LibraryError."""
    try:
        with path.open("rb") as file:

            def read(index: int) -> bytes:
                file.seek(offset + index * SECTOR_BYTES)
                return file.read(SECTOR_BYTES).ljust(SECTOR_BYTES, b"\xff")

            with library.writing():
                return _file_all(survey(read, sectors), read, library, on_progress)
    except OSError as error:
        raise LibraryError(f"the image {path} cannot be read ({error.strerror}); give another file") from error


def _file_all(
    found: Survey, read: Callable[[int], bytes], library: Library, on_progress: Progress | None
) -> SalvageReport:
    attached = sum(piece.attached for piece in found.pieces)
    report = SalvageReport(found.sectors, found.free, found.senseless, attached)
    for done, piece in enumerate(found.pieces):
        data = _file_of(piece, read)
        identity = Identity(piece.card or found.card or "unknown", piece.number, piece.nonce_of(data))
        held = library.find(*identity)
        if held and not _is_better(library, held, data):
            report.known += 1
        else:
            report.new.append(_file(library, identity, data, _note(piece)))
            report.nameless += piece.nameless
        if on_progress:
            on_progress("recordings", done + 1, len(found.pieces))
    for card in {entry.card for entry in report.new}:
        library.place_in_time(card)
    report.new = [library.entry(entry.id) for entry in report.new]
    return report


def _is_better(library: Library, held: Entry, data: bytes) -> bool:
    """Whether what was salvaged is worth more than what the library has of that recording."""
    if library.is_intact(held):
        return held.salvaged and held.bytes < len(data)
    return held.bytes <= len(data)


def _file_of(piece: Piece, read: Callable[[int], bytes]) -> bytes:
    """The recording's file as the card would send it."""
    whole = bytearray()
    for index in piece.sectors:
        raw = bytearray(read(index))
        sector.blank_cells(raw)
        whole += raw
    return bytes(whole)


def _file(library: Library, identity: Identity, data: bytes, note: str) -> Entry:
    with library.begin(*identity, salvage=True) as incoming:
        for at in range(0, len(data), SECTOR_BYTES):
            incoming.append(data[at : at + SECTOR_BYTES])
        try:
            return incoming.finish(salvaged=note)
        except FormatError as error:
            raise LibraryError(f"{incoming.path} is salvaged, but cannot be filed ({error}); keep that file") from error


def _note(piece: Piece) -> str:
    return ", ".join(_phrases(piece))


def _phrases(piece: Piece) -> Iterable[str]:
    yield "salvaged from an image of the card's storage"
    if piece.nameless:
        yield "no header tells which recording it belongs to"
    if piece.attached:
        yield f"{piece.attached} sectors without a header are placed by their neighbours"
    if piece.removed:
        yield "the card had begun to remove it"
