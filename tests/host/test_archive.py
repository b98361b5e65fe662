"""No recording is lost on its way into the library, and its plain files are worth more than its index."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import soundfile
from vcr import CardFile, conversation

from voicecard.errors import FormatError, LibraryError
from voicecard.firmware.wire.sector import SECTOR_BYTES
from voicecard.library import archive, details, files
from voicecard.library.archive import Library, default_path
from voicecard.library.entry import Entry
from voicecard.library.incoming import Incoming
from voicecard.library.texts import read_transcript
from voicecard.transcript import Segment, Transcript

STARTED = datetime(2026, 11, 22, 5, 9, tzinfo=UTC)
CONVERSATION = conversation()
TRANSCRIPT = Transcript("pocketsphinx", "en-us", "en", (Segment(0.1, 0.6, "ship it on Monday"),))


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path / "library") as library:
        yield library


def begin(library: Library, card: CardFile = CONVERSATION) -> Incoming:
    return library.begin(card.card, card.number, card.nonce.hex())


def pull(incoming: Incoming, card: CardFile = CONVERSATION) -> None:
    for raw in card.sectors[incoming.sectors_done :]:
        incoming.append(bytes(raw))


def take_in(library: Library, card: CardFile = CONVERSATION, started: datetime | None = STARTED) -> Entry:
    with begin(library, card) as incoming:
        pull(incoming, card)
        return incoming.finish(started, "host clock", 40)


def has(library: Library, card: CardFile = CONVERSATION) -> bool:
    return library.find(card.card, card.number, card.nonce.hex()) is not None


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_recording_becomes_a_folder_of_plain_files(library: Library) -> None:
    entry = take_in(library)
    data = CONVERSATION.data()
    local = STARTED.astimezone()
    assert entry.folder.relative_to(library.path).parts == (
        "recordings",
        f"{local:%Y}",
        f"{local:%Y-%m-%d %H.%M} k3f92b-12",
    )
    assert names(entry.folder) == {"card.vcr", "audio.flac", "recording.json", "transcript.md"}
    assert entry.original.read_bytes() == data
    assert soundfile.read(entry.audio, dtype="int16")[0].tolist() == CONVERSATION.heard
    assert entry.samples("trim").tolist() == CONVERSATION.kept
    assert names(library.path / "incoming") == set()
    assert has(library)

    told = entry.details()
    assert told["sha256"] == hashlib.sha256(data).hexdigest()
    assert datetime.fromisoformat(told["started"]) == STARTED
    assert (told["started_how"], told["uncertainty_ms"]) == ("host clock", 40)
    assert (told["length_s"], told["kept_s"], told["silence_skipped_s"]) == (2.02, 1.26, 0.76)
    assert (told["marks"], told["end_reason"], told["settings"]["gain_db"]) == ([0.6], "key", 12)
    assert json.loads(json.dumps(entry.summary()))["id"] == "k3f92b-12"


def test_every_field_of_recording_json_is_documented(library: Library) -> None:
    documented = set((details.__doc__ or "").replace(",", " ").split())
    assert set(take_in(library).details()) <= documented


@pytest.mark.parametrize("wall_ms, how", [(CONVERSATION.wall_ms, "card clock"), (0, "unknown")])
def test_a_time_that_nobody_gives_is_the_cards_or_unknown(library: Library, wall_ms: int, how: str) -> None:
    entry = take_in(library, conversation(wall_ms=wall_ms), started=None)
    assert entry.started_how == how
    assert (entry.started is None) == entry.folder.name.startswith("undated ") == (wall_ms == 0)


def test_a_pull_goes_on_behind_the_last_whole_sector(library: Library) -> None:
    with begin(library) as incoming:
        incoming.append(bytes(CONVERSATION.sectors[0]))
        part = incoming.path
    part.write_bytes(part.read_bytes() + b"torn")
    with begin(library) as incoming:
        assert incoming.sectors_done == 1
        pull(incoming)
        assert incoming.digest() == hashlib.sha256(CONVERSATION.data()).hexdigest()
        incoming.finish(STARTED, "host clock", 40)
    assert has(library)


def test_nothing_is_left_of_a_pull_that_brought_nothing_or_was_given_up(library: Library) -> None:
    with begin(library):
        pass
    with begin(library) as incoming:
        pull(incoming)
        incoming.discard()
    assert names(library.path / "incoming") == set()


def test_another_recording_than_was_announced_is_not_filed(library: Library) -> None:
    with begin(library) as incoming:
        pull(incoming, conversation(nonce=bytes(8)))
        with pytest.raises(FormatError, match="another recording"):
            incoming.finish(STARTED, "host clock", 40)
    assert not has(library)
    assert incoming.path.exists()


def dies_at(operation: int, work: Callable[[], object]) -> bool:
    """Do `work` in a process that ends without a word before its n-th step on the disk; False if it has no so many."""
    child = os.fork()
    if child:
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert code in (0, 1)
        return code == 1
    left = operation

    def watch(event: str, _: object) -> None:
        nonlocal left
        left -= event in ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "sqlite3.connect")
        if left < 0:
            os._exit(1)

    sys.addaudithook(watch)
    try:
        work()
    except BaseException:
        os._exit(2)
    os._exit(0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_power_may_go_at_every_step_of_filing(tmp_path: Path) -> None:
    import ruamel.yaml  # noqa: F401 - so that loading modules is none of the steps

    import voicecard.library.export  # noqa: F401

    operation = 0
    while True:
        path = tmp_path / str(operation)
        with Library(path) as library, begin(library) as incoming:
            pull(incoming)

        def file(path: Path = path) -> None:
            with Library(path) as library, begin(library) as incoming:
                incoming.finish(STARTED, "host clock", 40)

        died = dies_at(operation, file)
        with Library(path) as library:
            if not has(library):
                with begin(library) as incoming:
                    assert incoming.sectors_done == len(CONVERSATION.sectors)
                    incoming.finish(STARTED, "host clock", 40)
            (entry,) = library.entries()
            assert entry.original.read_bytes() == CONVERSATION.data()
            assert soundfile.info(entry.audio).frames == len(CONVERSATION.heard)
            assert names(entry.folder) == {"card.vcr", "audio.flac", "recording.json", "transcript.md"}
            assert names(library.path / "incoming") == set()
        if not died:
            break
        operation += 1
    assert operation > 15


@contextmanager
def files_no_larger_than(size_bytes: int) -> Iterator[None]:
    """The system itself refuses to write further: as on a full disk, a write may be taken in part."""
    resource = pytest.importorskip("resource")
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)


@pytest.mark.parametrize("room_bytes", [0, 100, SECTOR_BYTES, SECTOR_BYTES + 100])
def test_a_full_disk_leaves_whole_sectors_to_go_on_from_or_nothing(library: Library, room_bytes: int) -> None:
    whole = room_bytes // SECTOR_BYTES
    with begin(library) as incoming, files_no_larger_than(room_bytes), pytest.raises(LibraryError):
        pull(incoming)
    assert [path.stat().st_size for path in (library.path / "incoming").iterdir()] == [SECTOR_BYTES] * whole
    with begin(library) as incoming:
        assert incoming.sectors_done == whole
        pull(incoming)
        incoming.finish(STARTED, "host clock", 40)
    assert has(library)


def test_a_full_disk_is_said_to_be_full() -> None:
    with (
        pytest.raises(LibraryError, match="the disk is full at here; free some space"),
        files.disk_errors(Path("here")),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_no_room_for_the_audio_copy_never_costs_the_recording(library: Library) -> None:
    noise = np.random.default_rng(1).integers(-30000, 30000, 5 * 16000).astype(np.int16)
    card = CardFile().audio(noise).end()
    with files_no_larger_than(100_000):
        entry = take_in(library, card)
    assert names(entry.folder) == {"card.vcr", "recording.json", "transcript.md"}
    assert entry.samples().tolist() == card.heard


def test_no_room_for_the_details_keeps_what_came_in(library: Library) -> None:
    with begin(library) as incoming:
        pull(incoming)
        with files_no_larger_than(300), pytest.raises(LibraryError):
            incoming.finish(STARTED, "host clock", 40)
    assert names(library.path / "incoming") == {incoming.path.name}
    assert take_in(library).original.read_bytes() == CONVERSATION.data()


def test_one_writer_at_a_time_and_readers_beside(library: Library) -> None:
    entry = take_in(library)
    with Library(library.path) as second:
        with library.writing():
            with pytest.raises(LibraryError, match="another voicecard is writing to"):
                begin(second)
            with pytest.raises(LibraryError, match="another voicecard is writing to"):
                second.save_transcript(entry, TRANSCRIPT)
            assert second.entries() == [entry]
            with Library(library.path) as third:
                assert third.entries() == [entry]
        second.save_transcript(entry, TRANSCRIPT)


def test_a_library_keeps_its_id_and_another_has_another(library: Library, tmp_path: Path) -> None:
    with Library(library.path) as again, Library(tmp_path / "other") as other:
        assert again.id == library.id != other.id
        assert len(bytes.fromhex(library.id)) == 3


def test_a_transcript_is_kept_beside_its_recording_and_indexed(library: Library) -> None:
    entry = take_in(library)
    assert entry.transcript() is None
    library.save_transcript(entry, replace(TRANSCRIPT, segments=()))
    library.save_transcript(entry, TRANSCRIPT)
    (entry.folder.parent / "notes.txt").write_text("mine")
    library.rebuild()
    entry = library.entry(entry.id)
    assert (entry.transcript_backend, read_transcript(entry.folder)) == ("pocketsphinx", TRANSCRIPT)
    assert "ship it on Monday" in (entry.folder / "transcript.md").read_text()
    with sqlite3.connect(library.path / "library.db") as db:
        found = db.execute("SELECT recording, start_s, text FROM segments").fetchall()
    db.close()
    assert found == [("k3f92b-12", 0.1, "ship it on Monday")]


def spoil(path: Path, where: int) -> None:
    raw = bytearray(path.read_bytes())
    raw[where : where + 2000] = os.urandom(len(raw[where : where + 2000]))
    path.write_bytes(raw)


@pytest.mark.parametrize(
    "damage",
    [
        Path.unlink,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"no index at all" * 500),
        lambda path: path.write_bytes(path.read_bytes()[:5000]),
        lambda path: spoil(path, 200),
        lambda path: spoil(path, 4096),
    ],
)
def test_whatever_happens_to_the_index_it_comes_back(library: Library, damage: Callable[[Path], object]) -> None:
    take_in(library)
    library.save_transcript(library.entry("12"), TRANSCRIPT)
    take_in(library, conversation(number=13))
    before = library.entries()
    library.close()
    damage(library.path / "library.db")
    with Library(library.path) as again:
        assert again.entries() == before
        assert has(again)


def test_what_is_done_to_the_folders_by_hand_is_seen(library: Library) -> None:
    entry = take_in(library)
    other = take_in(library, conversation(number=13))
    library.close()
    shutil.rmtree(other.folder)
    moved = entry.folder.rename(entry.folder.with_name("visit at Miller's"))
    shutil.copytree(moved, moved.with_name("copy"))
    with Library(library.path) as again:
        (found,) = again.entries()
        assert found.id == entry.id
        assert found.original.read_bytes() == CONVERSATION.data()


def test_damaged_details_are_made_again_from_the_cards_file(library: Library) -> None:
    entry = take_in(library, started=None)
    for spoiled in (b"", b"{", b"[]", b'{"id": "../../x"}', b"\xff"):
        (entry.folder / "recording.json").write_bytes(spoiled)
        library.rebuild()
        assert library.entries() == [entry]
        assert entry.details()["length_s"] == 2.02


def test_a_lost_original_is_pulled_again_into_its_folder(library: Library) -> None:
    entry = take_in(library)
    library.save_transcript(entry, TRANSCRIPT)
    entry.original.write_bytes(CONVERSATION.data()[:SECTOR_BYTES])
    assert not has(library)
    again = take_in(library)
    assert has(library)
    assert (again.folder, read_transcript(again.folder)) == (entry.folder, TRANSCRIPT)


def test_a_file_is_read_again_only_when_something_has_touched_it(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = take_in(library)
    with monkeypatch.context() as patch:
        patch.setattr(archive, "file_digest", lambda path: pytest.fail("read again"))
        assert library.is_intact(entry)
    data = entry.original.read_bytes()
    entry.original.write_bytes(data)
    assert library.is_intact(entry)
    entry.original.write_bytes(data[:600] + b"?" + data[601:])
    assert not library.is_intact(entry)
    library.rebuild()
    assert not library.is_intact(entry)


def test_the_same_number_with_another_nonce_is_another_recording(library: Library) -> None:
    first = take_in(library)
    first.folder.rename(first.folder.with_name("a visit"))
    with Library(library.path) as again:
        other = take_in(again, conversation(nonce=bytes.fromhex("ffee000000000000")))
        assert other.id == "k3f92b-12-ffee"
        assert [entry.id for entry in again.entries()] == ["k3f92b-12", "k3f92b-12-ffee"]
        assert again.entry("k3f92b-12").nonce == CONVERSATION.nonce.hex()


def test_a_recording_is_found_by_whatever_names_it_alone(library: Library) -> None:
    take_in(library, started=datetime(2026, 11, 23, tzinfo=UTC))
    take_in(library, conversation(number=2, card="zz9"))
    found = {name: library.entry(name).id for name in ("k3f92b-12", "12", "2", "k3f", "zz9", "latest")}
    assert found == {
        "k3f92b-12": "k3f92b-12",
        "12": "k3f92b-12",
        "2": "zz9-2",
        "k3f": "k3f92b-12",
        "zz9": "zz9-2",
        "latest": "k3f92b-12",
    }
    take_in(library, conversation(number=3))
    for wanted, sentence in (("k3f92b", "can mean 2 recordings"), ("99", "has no recording"), ("", "has no recording")):
        with pytest.raises(LibraryError, match=sentence):
            library.entry(wanted)


@pytest.mark.parametrize("card", ["../../a", "..", "/etc/x", "a b\n", "CON.", ""])
def test_a_cards_name_never_leads_out_of_the_folder(library: Library, card: str) -> None:
    entry = take_in(library, conversation(card=card)) if card.isprintable() and " " not in card else None
    with library.begin(card, 1, "0" * 16) as incoming:
        incoming.append(bytes(CONVERSATION.sectors[0]))
        assert incoming.path.resolve().parent == (library.path / "incoming").resolve()
    if entry:
        assert entry.folder.resolve().parent.parent == (library.path / "recordings").resolve()
        assert library.entry(entry.id).card == card


@pytest.mark.parametrize("nonce, number", [("../../../etc", 1), ("", 1), ("0" * 16, -1), ("0" * 16, 1 << 32)])
def test_an_identity_that_no_card_has_is_refused(library: Library, nonce: str, number: int) -> None:
    with pytest.raises(LibraryError, match="names no recording"):
        library.begin("k3f92b", number, nonce)


def test_a_place_that_cannot_be_a_library_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(LibraryError, match="cannot be used"):
        Library(tmp_path / "file")
    (tmp_path / "library.json").write_text("{")
    with pytest.raises(LibraryError, match="is damaged"):
        Library(tmp_path)


def test_the_library_is_where_voicecard_home_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOICECARD_HOME", str(tmp_path))
    assert default_path() == tmp_path
    monkeypatch.delenv("VOICECARD_HOME")
    assert default_path() == Path.home() / "voicecard"
