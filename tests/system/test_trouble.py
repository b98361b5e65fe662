"""What goes wrong between card and host: power cuts, pulled cables. No recording is lost, and the rest goes on from there."""

from __future__ import annotations

import hashlib
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
        with pytest.raises(Exception, match="not what the card holds"):
            sync(link, library)
        assert len(sync(link, library).new) == 1, "it was thrown away and pulled afresh"
        assert link.recordings()[0].safe


def test_two_libraries_each_get_everything(tmp_path: Path, conversation: Path) -> None:
    options = EmulateOptions(mic=conversation, flash_size_bytes=SMALL, script="boot; tap rec; wait 4s; tap rec; plug")
    digests = set()
    with running_card(options) as card, CardLink.open(str(card.port())) as link:
        for name in ("mine", "yours"):
            with Library(tmp_path / name) as library:
                (entry,) = sync(link, library).new
                digests.add(hashlib.sha256(entry.original.read_bytes()).hexdigest())
    assert len(digests) == 1


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
