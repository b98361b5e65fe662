"""A card that has been synced makes room by itself; one that has not says that it is full, and keeps everything."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from voicecard.device.client import CardLink
from voicecard.device.emulate import EmulateOptions, running_card
from voicecard.library.archive import Library
from voicecard.sync import sync

SMALL = 4 << 20  # 1.5 MiB of recordings: 2 min 40 s of speech
RECORD = "tap rec; wait 40s; tap rec; wait 2s; "


@pytest.fixture
def talk(tmp_path: Path, conversation: Path) -> Path:
    """Five minutes of conversation without a pause."""
    samples, rate = soundfile.read(conversation, dtype="int16")
    loud = samples[np.convolve(np.abs(samples.astype(float)), np.ones(3200) / 3200, "same") > 60]
    soundfile.write(tmp_path / "talk.wav", np.resize(loud, 300 * rate), rate)
    return tmp_path / "talk.wav"


def test_a_card_in_use_for_long_never_fills_up_when_it_is_synced(tmp_path: Path, talk: Path) -> None:
    flash = tmp_path / "card.img"
    with Library(tmp_path / "library") as library:
        for day in range(3):
            options = EmulateOptions(
                mic=talk, flash=flash, flash_size_bytes=SMALL, script=f"boot; wait 30s; {RECORD * 3}plug"
            )
            with running_card(options) as card:
                with CardLink.open(str(card.port(60))) as link:
                    report = sync(link, library)
                    on_card, removed = link.recordings(), link.removals()
                flash_use = card.report().cycles[0].flash["recordings"]
            assert len(report.new) == 3 and {e.end_reason for e in report.new} == {"key"}
            assert day == 0 or flash_use["erases"] > 0
            assert all(listed.safe for listed in on_card)
        assert len(library.entries()) == 9
        digests = {entry.number: entry.sha256 for entry in library.entries()}
        assert removed and all(digests[line["n"]].startswith(line["digest"]) for line in removed), (
            "told, and proved before"
        )
        assert {line["n"] for line in removed} == digests.keys() - {listed.number for listed in on_card}
        assert [listed.number for listed in on_card][-3:] == [7, 8, 9]


def test_a_card_that_is_never_synced_stops_and_says_so(tmp_path: Path, talk: Path) -> None:
    script = f"boot; {RECORD * 6}plug"
    options = EmulateOptions(mic=talk, flash_size_bytes=SMALL, script=script, screens=tmp_path / "screens")
    with Library(tmp_path / "library") as library, running_card(options) as card:
        with CardLink.open(str(card.port(60))) as link:
            new = sync(link, library).new
        # The sector that a power cut before this start may have touched is given up, empty, and erased while idle.
        assert card.report().cycles[0].flash["recordings"]["erases"] <= 1
    assert [entry.number for entry in new] == list(range(1, len(new) + 1))
    reasons = [entry.end_reason for entry in new]
    assert reasons[:-1] == ["key"] * (len(new) - 1) and reasons[-1] == "storage full"
    assert sum(entry.kept_s for entry in new) > 140
