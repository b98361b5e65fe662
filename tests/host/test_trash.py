"""What was thrown away stays for 30 days, can be taken back until then, and never comes again by itself."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from test_archive import take_in

from soak.bench import make_recordings
from soak.model import ModelCard, ModelPort
from voicecard.device.client import CardLink
from voicecard.errors import LibraryError
from voicecard.library import trash
from voicecard.library.archive import Library
from voicecard.library.trash import KEPT, Trash
from voicecard.sync import sync

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path / "library") as library:
        yield library


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_it_comes_back_as_it_was(library: Library) -> None:
    entry = take_in(library)
    before = files(entry.folder)
    library.remove(entry)
    assert not entry.folder.exists() and library.entries() == []
    (thrown,) = library.trash.content()
    assert files(thrown.folder) == before and thrown.erased - thrown.removed == timedelta(days=30)
    assert library.take_back(entry.id) == entry
    assert files(entry.folder) == before and library.trash.content() == [] and library.trash.identities() == set()
    with pytest.raises(LibraryError, match="the trash has no recording"):
        library.take_back(entry.id)


def test_after_thirty_days_it_is_erased_and_still_known(library: Library) -> None:
    entry = take_in(library)
    Trash(library.path, library.writing(), lambda: NOW).throw_away(entry)
    for age, there in ((KEPT - timedelta(seconds=1), True), (KEPT, False)):
        now = NOW + age
        later = Trash(library.path, library.writing(), lambda now=now: now)
        later.empty()
        assert bool(later.content()) == there
    assert {identity.key for identity in later.identities()} == {f"{entry.id}-{entry.nonce}"}


def test_no_sync_brings_it_again_nor_tells_the_card_anything(tmp_path: Path) -> None:
    card = ModelCard(make_recordings((1, 2)))
    with Library(tmp_path) as library:
        with CardLink(ModelPort(card)) as link:
            first, _ = sync(link, library).new
        library.remove(first)
        held = card.held_by(library.id)
        with CardLink(ModelPort(card)) as link:
            report = sync(link, library)
        assert (report.new, report.known, report.failed) == ([], 2, [])
        assert card.held_by(library.id) == held == card.recordings
        library.take_back(first.id)
        assert len(library.entries()) == 2


@pytest.mark.parametrize("step", ["the list", "the folder"])
def test_cut_in_the_middle_it_is_here_or_in_the_trash(
    library: Library, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = take_in(library)

    class CutError(Exception):
        pass

    def cut(*_: object) -> None:
        raise CutError

    if step == "the list":
        monkeypatch.setattr(Trash, "_move", cut)
    else:
        monkeypatch.setattr(trash, "sync_directory", cut)
    with pytest.raises(CutError):
        library.remove(entry)
    library.close()
    monkeypatch.undo()
    with Library(library.path) as again:
        here = [one.id for one in again.entries()]
        assert here + [thrown.id for thrown in again.trash.content()] == [entry.id]
        if here:
            again.remove(again.entry(entry.id))
        assert again.take_back(entry.id).id == entry.id


@pytest.mark.parametrize("folder", ["../../outside", "/etc/passwd", "2026", "a/b/c"])
def test_a_list_that_leads_elsewhere_is_not_followed(library: Library, folder: str) -> None:
    entry = take_in(library)
    library.remove(entry)
    path = library.path / "removed.json"
    listed = json.loads(path.read_text())
    listed["removed"][0]["folder"] = folder
    path.write_text(json.dumps(listed))
    with pytest.raises(LibraryError, match="is damaged"):
        library.take_back(entry.id)
    shutil.rmtree(library.path / "trash")
