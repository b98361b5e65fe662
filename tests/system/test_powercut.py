"""A short, seeded part of `make powercut`, and the same between two processes of the emulator."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from powercut.run import prove
from voicecard.device.client import CardLink
from voicecard.device.emulate import EmulateOptions, emulate, running_card
from voicecard.library.archive import Library
from voicecard.sync import sync

SMALL = 4 << 20
IN_THE_SECOND = 220  # the number of an operation: a page of the second recording


def test_a_sample_of_all_cuts_keeps_every_promise() -> None:
    tally = prove("1/10", seed="short", shares=2)
    assert tally.kept, [str(tally), *tally.broken, *tally.troubles]
    assert tally.cuts > 300
    assert str(tally) == (
        f"powercut: cuts={tally.cuts} finished_lost=0 open_lost_max_ms={tally.open_lost_max_ms} boots_failed=0"
    )


def test_a_sample_of_all_cuts_of_an_update_leaves_the_old_application_or_the_new_one() -> None:
    tally = prove("1/8", seed="short", shares=2, session="update")
    assert tally.kept, [str(tally), *tally.broken, *tally.troubles]
    assert tally.cuts > 150


@pytest.mark.parametrize("seed", [1, 2])
def test_what_a_cut_leaves_in_between_lies_beside_the_image_until_the_card_has_made_it_firm(
    tmp_path: Path, conversation: Path, seed: int
) -> None:
    flash, between = tmp_path / "card.img", tmp_path / "card.img.marginal"
    cut = EmulateOptions(
        mic=conversation,
        flash=flash,
        flash_size_bytes=SMALL,
        script="boot; tap rec; wait 3s; tap rec; wait 1s; tap rec; wait 6s",
        cut_at=(IN_THE_SECOND, "mid"),
        seed=seed,
    )
    assert emulate(cut).cycles[0].reason == "cut"
    assert between.exists()
    files = []
    for start in range(2):
        again = EmulateOptions(flash=flash, script="boot; plug", seed=seed + start)
        with (
            Library(tmp_path / f"library {start}") as library,
            running_card(again) as card,
            CardLink.open(str(card.port())) as link,
        ):
            new = sync(link, library).new
            assert [entry.end_reason for entry in new] == ["key", "power lost"]
            files.append([hashlib.sha256(entry.original.read_bytes()).digest() for entry in new])
        assert not between.exists()
    assert files[0] == files[1]
