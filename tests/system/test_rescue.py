"""A card's storage saved whole, over the cable or out of a dump, and everything readable in it filed."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from voicecard.device.client import CardLink
from voicecard.device.emulate import EmulateOptions, running_card
from voicecard.device.partitions import partitions
from voicecard.device.rescue import copy_image, pull_image
from voicecard.errors import LinkLostError
from voicecard.library.archive import Library
from voicecard.library.salvage import salvage
from voicecard.sync import sync

Run = Callable[..., subprocess.CompletedProcess[str]]
SMALL = 4 << 20
TALK = "boot; tap rec; wait 5s; tap memo; wait 4s; tap rec; wait 1s; tap rec; wait 6s; "


def storage(flash: Path) -> bytes:
    """The recordings partition of a flash image."""
    recordings = partitions(flash)["recordings"]
    return flash.read_bytes()[recordings.offset : recordings.offset + recordings.size]


@pytest.fixture
def flash(tmp_path: Path, conversation: Path) -> Path:
    """The flash of a card with a finished recording and one that a power cut left open."""
    path = tmp_path / "card.bin"
    options = EmulateOptions(mic=conversation, flash=path, flash_size_bytes=SMALL, script=TALK + "cut", seed=3)
    with running_card(options) as card:
        card.report()
    return path


def test_an_image_over_the_cable_is_the_flash_also_when_the_cable_is_pulled_once(tmp_path: Path, flash: Path) -> None:
    image = tmp_path / "card.img"
    script = EmulateOptions(flash=flash, script="boot; plug")
    with running_card(script) as card, CardLink.open(str(card.port())) as link:

        def pull_the_cable(name: str, done_bytes: int, total_bytes: int) -> None:
            if done_bytes >= total_bytes // 2:
                card.stop()

        with pytest.raises(LinkLostError, match="nothing is lost"):
            pull_image(link, image, pull_the_cable)
    assert not image.exists()
    (part,) = tmp_path.glob("card.img.*.part")
    begun = part.stat().st_size
    assert begun >= 100 * 4096

    seen: list[int] = []
    with running_card(script) as card, CardLink.open(str(card.port())) as link:
        pull_image(link, image, lambda name, done_bytes, total_bytes: seen.append(done_bytes))
    assert abs(seen[0] - begun) <= 8192 and not part.exists(), "it went on from there"
    assert image.read_bytes() == storage(flash)


def test_from_a_dump_to_the_library_and_a_sync_afterwards_has_nothing_to_do(
    voicecard: Run, tmp_path: Path, flash: Path
) -> None:
    done = voicecard("rescue", "-o", tmp_path / "card.img", "--image", flash, "--json")
    told = json.loads(done.stdout)
    assert len(told["new"]) == 2 and told["known"] == told["senseless_sectors"] == 0
    assert (tmp_path / "card.img").read_bytes() == storage(flash)
    with (
        Library(tmp_path / "library") as library,
        running_card(EmulateOptions(flash=flash, script="boot; plug")) as card,
        CardLink.open(str(card.port())) as link,
    ):
        whole, cut = library.entries() if library.entries()[0].end_reason else library.entries()[::-1]
        assert whole.end_reason == "key" and whole.salvaged and cut.end_reason is None and cut.length_s > 4.9
        assert [listed.copies for listed in link.recordings()] == [0, 0], "rescue proves nothing to the card"
        report = sync(link, library)
        assert report.known == 1, "the finished one is proved as it is"
        assert [entry.number for entry in report.new] == [cut.number], "the other has its end now"
        assert [entry.salvaged for entry in library.entries()] == [False, False]
        assert all(listed.safe for listed in link.recordings(library.id))


def test_the_bare_partition_is_as_good_and_damage_costs_what_it_hit(tmp_path: Path, flash: Path) -> None:
    choose = random.Random(5)
    raw = bytearray(storage(flash))
    for _ in range(10):
        raw[choose.randrange(40 * 4096)] ^= 0xFF
    (tmp_path / "dump").write_bytes(raw)
    sectors = copy_image(tmp_path / "dump", tmp_path / "card.img")
    assert sectors == len(raw) // 4096
    with Library(tmp_path / "library") as library:
        report = salvage(tmp_path / "card.img", 0, sectors, library)
        assert len(report.new) >= 2 and report.senseless_sectors == 0
        lost_s = 15 - sum(entry.kept_s + entry.silence_skipped_s for entry in report.new)
        assert 0 < lost_s < 10 * 1.1


def test_rescue_over_the_cable_and_what_cannot_be_meant(voicecard: Run, tmp_path: Path, flash: Path) -> None:
    with running_card(EmulateOptions(flash=flash, script="boot; plug")) as card:
        done = voicecard("rescue", "-o", tmp_path / "card.img", "--port", card.port())
    assert done.returncode == 0, done.stderr
    assert "2 recordings salvaged" in done.stderr and len(done.stdout.splitlines()) == 2
    again = voicecard("rescue", "-o", tmp_path / "card.img", "--image", flash)
    assert again.returncode == 2 and "exists already" in again.stderr
    missing = voicecard("rescue", "-o", tmp_path / "x.img", "--image", tmp_path / "none")
    assert missing.returncode == 1 and "cannot be read" in missing.stderr
    (tmp_path / "short").write_bytes(flash.read_bytes()[:0x9000])
    short = voicecard("rescue", "-o", tmp_path / "x.img", "--image", tmp_path / "short")
    assert short.returncode == 1 and "ends before its recordings begin" in short.stderr
    assert not (tmp_path / "x.img").exists()
