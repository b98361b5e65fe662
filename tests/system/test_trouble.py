"""What goes wrong between card and host: power cuts, pulled cables. No recording is lost, and the rest goes on from there."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from voicecard.device.client import CardLink
from voicecard.device.emulate import EmulateOptions, running_card
from voicecard.errors import LinkLostError, RefusedError
from voicecard.library.archive import Library
from voicecard.sync import sync

SMALL = 4 << 20


def test_a_power_cut_costs_less_than_a_second_and_the_card_closes_the_recording(
    tmp_path: Path, conversation: Path
) -> None:
    options = EmulateOptions(
        mic=conversation,
        flash_size_bytes=SMALL,
        script="boot; tap rec; wait 7s; tap rec; wait 1s; tap rec; wait 9s; cut; boot; plug",
        seed=1,
    )
    with Library(tmp_path) as library, running_card(options) as card, CardLink.open(str(card.port())) as link:
        finished, cut = sync(link, library).new
    assert finished.end_reason == "key" and finished.length_s == pytest.approx(7.1, abs=0.1)
    assert cut.end_reason == "power lost"
    assert 8.9 - 1.0 <= cut.length_s <= 9.1
    assert cut.started is None and cut.started_how == "unknown", "ticks of an earlier boot place nothing"


def test_a_cable_pulled_in_a_transfer_is_told_and_the_next_sync_goes_on_from_there(
    tmp_path: Path, conversation: Path
) -> None:
    flash = tmp_path / "card.img"
    record = EmulateOptions(
        mic=conversation, flash=flash, flash_size_bytes=SMALL, script="boot; tap rec; until mic-end; tap rec; plug"
    )
    with Library(tmp_path / "library") as library:
        with running_card(record) as card, CardLink.open(str(card.port())) as link:

            def pull_the_cable(name: str, done_bytes: int, total_bytes: int) -> None:
                if done_bytes >= total_bytes // 2:
                    card.stop()

            with pytest.raises(LinkLostError, match="nothing is lost"):
                sync(link, library, pull_the_cable)
        (part,) = (library.path / "incoming").iterdir()
        done = part.stat().st_size
        assert done >= 4096 * 10 and done % 4096 == 0 and library.entries() == []

        with (
            running_card(EmulateOptions(flash=flash, script="boot; plug")) as card,
            CardLink.open(str(card.port())) as link,
        ):
            report = sync(link, library)
        assert [e.end_reason for e in report.new] == ["key"]
        assert report.received_bytes == report.new[0].bytes - done
        assert list((library.path / "incoming").iterdir()) == []


def test_bytes_that_went_bad_on_the_disk_are_never_proved(tmp_path: Path, conversation: Path) -> None:
    options = EmulateOptions(mic=conversation, flash_size_bytes=SMALL, script="boot; tap rec; wait 4s; tap rec; plug")
    with Library(tmp_path) as library, running_card(options) as card, CardLink.open(str(card.port())) as link:
        (listed,) = link.recordings()
        with library.begin(link.hello.card, listed.number, listed.nonce) as incoming:
            for sector in link.pull(listed, 0):
                incoming.append(sector)
            incoming.sync()
            data = bytearray(incoming.path.read_bytes())
            data[5000] ^= 1
            incoming.path.write_bytes(data)
            with pytest.raises(RefusedError) as refusal:
                link.prove(listed, incoming.digest(), library.id)
        assert refusal.value.code == "digest" and not link.recordings()[0].safe
        (failure,) = sync(link, library).failed
        assert "not what the card holds" in str(failure)
        assert len(sync(link, library).new) == 1, "it was thrown away and pulled afresh"
        assert link.recordings()[0].safe


@pytest.fixture
def one(conversation: Path) -> EmulateOptions:
    """A card with one recording of four seconds."""
    return EmulateOptions(mic=conversation, flash_size_bytes=SMALL, script="boot; tap rec; wait 4s; tap rec; plug")


def test_two_libraries_each_get_everything_and_with_two_copies_both_count(tmp_path: Path, one: EmulateOptions) -> None:
    digests = set()
    with running_card(one) as card, CardLink.open(str(card.port())) as link:
        link.set({"copies": 2})
        for name, copies in (("mine", 1), ("mine", 1), ("yours", 2)):
            with Library(tmp_path / name) as library:
                report = sync(link, library)
                digests |= {hashlib.sha256(entry.original.read_bytes()).hexdigest() for entry in library.entries()}
                assert len(report.new) + report.known == 1
                (listed,) = link.recordings(library.id)
                assert (listed.copies, listed.safe, listed.mine) == (copies, copies == 2, True)
    assert len(digests) == 1


def test_what_a_library_held_before_the_card_knew_is_proved_without_pulling_it_again(
    tmp_path: Path, one: EmulateOptions
) -> None:
    with Library(tmp_path) as library, running_card(one) as card, CardLink.open(str(card.port())) as link:
        sync(link, library)
        link.revoke(link.recordings()[0], library.id)
        assert not link.recordings(library.id)[0].mine
        report = sync(link, library)
        assert (report.known, report.received_bytes) == (1, 0)
        assert link.recordings(library.id)[0].mine


@pytest.mark.parametrize("harm", ["lost", "bad", "short"])
def test_what_the_library_no_longer_has_is_revoked_and_pulled_again_whatever_the_card_says(
    tmp_path: Path, one: EmulateOptions, harm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Library(tmp_path) as library, running_card(one) as card, CardLink.open(str(card.port())) as link:
        (entry,) = sync(link, library).new
        assert sync(link, library).known == 1
        good = entry.original.read_bytes()
        if harm == "lost":
            entry.original.unlink()
        else:
            entry.original.write_bytes(good[:5000] + b"?" + good[5001:] if harm == "bad" else good[:4096])
        with monkeypatch.context() as cable:
            cable.setattr(link, "pull", pulled_out)
            with pytest.raises(LinkLostError):
                sync(link, library)
        assert not link.recordings(library.id)[0].mine, "the card may not count on it meanwhile"
        report = sync(link, library)
        assert len(report.new) == 1 and report.new[0].id == entry.id
        assert link.recordings(library.id)[0].mine and entry.original.read_bytes() == good


def pulled_out(*_: object) -> Iterator[bytes]:
    raise LinkLostError("the cable is pulled")


def test_a_file_that_went_bad_in_the_library_is_pulled_afresh_while_the_card_still_needs_its_proof(
    tmp_path: Path, conversation: Path
) -> None:
    flash = tmp_path / "card.img"
    record = EmulateOptions(
        mic=conversation, flash=flash, flash_size_bytes=SMALL, script="boot; tap rec; wait 4s; tap rec"
    )
    with running_card(record) as card:
        card.report()
    unproven = flash.read_bytes()
    with Library(tmp_path / "library") as library:
        for damaged in (False, True):
            flash.write_bytes(unproven)
            card_on = running_card(EmulateOptions(flash=flash, script="boot; plug"))
            with card_on as card, CardLink.open(str(card.port())) as link:
                report = sync(link, library)
                assert len(report.new) == 1 and link.recordings()[0].safe
            (entry,) = library.entries()
            good = entry.original.read_bytes()
            assert hashlib.sha256(good).hexdigest() == entry.sha256
            if not damaged:
                entry.original.write_bytes(good[:5000] + b"?" + good[5001:])


def test_a_card_without_usb_of_its_own_is_synced_over_the_repls_port(tmp_path: Path, conversation: Path) -> None:
    options = EmulateOptions(
        mic=conversation,
        flash_size_bytes=SMALL,
        script="boot; tap rec; wait 4s; tap rec; plug",
        carrier="stdio",
        uart_copy=True,
    )
    with Library(tmp_path) as library, running_card(options) as card, CardLink.open(str(card.port())) as link:
        (entry,) = sync(link, library).new
        assert entry.end_reason == "key" and link.recordings()[0].safe


@pytest.mark.parametrize("kind", ["zeros", "full"])
def test_a_microphone_that_is_off_its_wires_is_noted_within_two_seconds(
    tmp_path: Path, conversation: Path, kind: str
) -> None:
    script = f"boot; tap rec; wait 6s; break mic {kind}; wait 4s; tap rec; plug"
    run = EmulateOptions(mic=conversation, script=script, seed=3)
    with Library(tmp_path / "library") as library, running_card(run) as card, CardLink.open(str(card.port())) as link:
        (entry,) = sync(link, library).new
    (event,) = [event for event in entry.details()["events"] if event["event"] == "no sound"]
    assert 6 < event["at_s"] < 8.2 and entry.details()["unknown_s"] == 0


def test_a_silent_room_is_no_broken_microphone(tmp_path: Path) -> None:
    run = EmulateOptions(script="boot; tap rec; wait 6s; tap rec; plug", seed=3)
    with Library(tmp_path / "library") as library, running_card(run) as card, CardLink.open(str(card.port())) as link:
        (entry,) = sync(link, library).new
    assert entry.details()["events"] == []
