"""How often a sync waits for the card, and what it leaves when it ends between the card's agreement and the filing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from soak.bench import CARD, Bench, running_bench
from soak.kinds import USB
from voicecard.device.client import CardLink
from voicecard.device.port import Port
from voicecard.firmware.wire import frame, message
from voicecard.library.archive import Library
from voicecard.library.incoming import Incoming
from voicecard.sync import sync

SECTORS = (1, 2, 1, 3, 1, 1, 2, 1, 1, 1, 4, 1, 1, 2, 1, 1, 1, 3, 1, 1)


class Killed(BaseException):
    """The host's process ends here, for what it can still do."""


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with running_bench(tmp_path_factory.mktemp("bench"), SECTORS, USB) as bench:
        yield bench


@pytest.fixture
def bench(card: Bench) -> Bench:
    """The card as it was before any host proved anything."""
    card.forget()
    return card


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The requests that hosts send, each of which waits for the card; but for taking leave."""
    requests: list[str] = []
    write = Port.write

    def note(self: Port, data: bytes) -> None:
        frames = frame.FrameReader(frame.MAX_TO_CARD_BYTES).feed(data)
        requests.extend(message.read_json(payload)["do"] for _, _, payload in frames)
        write(self, data)

    monkeypatch.setattr(Port, "write", note)
    return requests


def test_n_recordings_take_n_and_four_round_trips(bench: Bench, tmp_path: Path, asked: list[str]) -> None:
    with Library(tmp_path) as library, CardLink.open(bench.port) as link:
        report = sync(link, library)
    waits = [do for do in asked if do != "bye"]
    assert len(report.new) == len(SECTORS) and report.failed == []
    assert len(waits) <= len(SECTORS) + 4, waits
    assert bench.held_by(library.id) == bench.recordings


def test_a_card_without_these_features_is_synced_step_by_step(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(message, "SAFE_THEN", "a feature that no card has")
    monkeypatch.setattr(message, "LIST_PAGES", "another")
    with Library(tmp_path) as library, CardLink.open(bench.port) as link:
        assert len(sync(link, library).new) == len(SECTORS)
    assert bench.held_by(library.id) == bench.recordings


def test_what_the_card_agreed_to_is_filed_though_the_host_ended_before_it_had_done_so(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(self: Incoming, *details: object) -> None:
        raise Killed

    with Library(tmp_path) as library, CardLink.open(bench.port) as link, monkeypatch.context() as killing:
        killing.setattr(Incoming, "finish", die)
        with pytest.raises(Killed):
            sync(link, library)
    assert bench.held_by(library.id) == bench.recordings[:1]
    with Library(tmp_path) as library:
        (entry,) = library.entries()
        assert entry.original.read_bytes() == bench.recordings[0].data
        assert entry.salvaged, "this library does not know that the card has agreed"
        assert not list((tmp_path / "incoming").glob(f"{CARD}-1-*"))
        with CardLink.open(bench.port) as link:
            report = sync(link, library)
        assert (report.known, len(report.new)) == (1, len(SECTORS) - 1)
        assert not any(entry.salvaged for entry in library.entries())


@pytest.mark.parametrize("change", ["cut", "other bytes", "no note"])
def test_what_did_not_come_in_whole_is_not_filed(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    def die(self: CardLink, *fields: object, **then: object) -> None:
        raise Killed

    with Library(tmp_path) as library, CardLink.open(bench.port) as link, monkeypatch.context() as killing:
        killing.setattr(CardLink, "prove", die)
        with pytest.raises(Killed):
            sync(link, library)
    (part,) = (tmp_path / "incoming").glob("*.part")
    (note,) = (tmp_path / "incoming").glob("*.whole.json")
    whole = part.read_bytes()
    if change == "cut":
        part.write_bytes(whole[:-1])
    elif change == "other bytes":
        part.write_bytes(bytes((whole[0] ^ 1,)) + whole[1:])
    else:
        note.write_text("{")
    with Library(tmp_path) as library:
        assert library.entries() == [] and not note.exists()
        with CardLink.open(bench.port) as link:
            first, again = sync(link, library), sync(link, library)
        assert len(first.new) + len(again.new) == len(SECTORS)
    assert bench.held_by(library.id) == bench.recordings
