"""Salvage: whatever an image of a card's storage still says is filed, under its recording where that is certain."""

from __future__ import annotations

import hashlib
import random
import struct
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import pytest
from vcr import CardFile, tone

from voicecard.firmware.wire import block, sector
from voicecard.firmware.wire.sector import SECTOR_BYTES
from voicecard.library.archive import Library
from voicecard.library.entry import Entry
from voicecard.library.salvage import SalvageReport, salvage
from voicecard.library.scan import scan

CLEAN = bytearray(b"\xff" * SECTOR_BYTES)
sector.pack_marker(CLEAN, 1, 0, 0, "k3f92b")


def talk(number: int, seconds: float = 1.8) -> CardFile:
    """A finished recording of that card; 1.8 s are five sectors."""
    nonce = number.to_bytes(8, "big")
    return CardFile(number=number, nonce=nonce, boot=number).audio(tone(seconds, 300 + 40 * number)).mark().end()


def card_image(*files: CardFile, first: int = 2, sectors: int = 24) -> list[bytearray]:
    """Storage in which these recordings stand in turn, from sector `first` on and round the end."""
    image = [bytearray(CLEAN) for _ in range(sectors)]
    for index, raw in enumerate(raw for file in files for raw in file.sectors):
        image[(first + index) % sectors] = bytearray(raw)
    return image


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path / "library") as library:
        yield library


def rescue(library: Library, image: list[bytearray]) -> SalvageReport:
    path = library.path / "card.img"
    path.write_bytes(b"".join(image))
    return salvage(path, 0, len(image), library)


def damage_header(raw: bytearray) -> None:
    raw[sector.HEADER_AT + 5] ^= 4


def put_cell(raw: bytearray, kind: bytes) -> None:
    at = sector.CELLS_AT + sector.CELLS_OF[kind][0] * sector.CELL_BYTES
    raw[at : at + sector.CELL_BYTES] = sector.pack_cell(kind, bytes(8))


def valid_blocks(raw: bytes) -> set[bytes]:
    """Every run of bytes that is a block by FORMAT.md, found without the code under test."""
    found = set()
    for at in range(sector.BLOCKS_AT, SECTOR_BYTES - block.BLOCK_HEADER_BYTES, 4):
        kind, _, size, _, crc = struct.unpack_from("<BBHII", raw, at)
        end = at + block.BLOCK_HEADER_BYTES + size
        inside = end <= at - at % sector.PAGE_BYTES + sector.PAGE_BYTES
        if kind not in (0, 255) and inside and crc == crc32(raw[at + 12 : end], crc32(raw[at : at + 8])):
            found.add(bytes(raw[at:end]))
    return found


def pieces(entry: Entry) -> list[bytes]:
    data = entry.original.read_bytes()
    return [data[at : at + SECTOR_BYTES] for at in range(0, len(data), SECTOR_BYTES)]


def test_an_undamaged_card_gives_the_very_files_that_a_sync_would(library: Library) -> None:
    files = [talk(7), talk(8), talk(9)]
    image = card_image(*files, first=20)
    put_cell(image[20], sector.ENDED)
    report = rescue(library, image)
    assert [entry.id for entry in report.new] == ["k3f92b-7", "k3f92b-8", "k3f92b-9"]
    assert [entry.original.read_bytes() for entry in report.new] == [file.data() for file in files]
    assert all(entry.salvaged and entry.end_reason == "key" for entry in report.new)
    assert (report.senseless_sectors, report.attached_sectors, report.nameless) == (0, 0, 0)
    assert report.free_sectors == 24 - sum(len(file.sectors) for file in files)
    again = rescue(library, image)
    assert again.new == [] and again.known == 3


def test_what_the_library_holds_is_left_alone(library: Library) -> None:
    file = talk(7)
    with library.begin(file.card, file.number, file.nonce.hex()) as incoming:
        for raw in file.sectors:
            incoming.append(bytes(raw))
        entry = incoming.finish()
    image = card_image(file)
    image[3][256 * 4 + 9] ^= 1
    report = rescue(library, image)
    assert (report.known, report.new) == (1, [])
    assert entry.original.read_bytes() == file.data()
    entry.original.write_bytes(bytes(len(file.data())))
    assert len(rescue(library, card_image(file)).new) == 1, "but not what went bad there"
    assert entry.original.read_bytes() == file.data()


def test_a_better_image_replaces_what_a_worse_one_gave(library: Library) -> None:
    file = talk(7)
    image = card_image(file)
    image[6] = bytearray(CLEAN)
    (entry,) = rescue(library, image).new
    assert entry.end_reason is None
    (better,) = rescue(library, card_image(file)).new
    assert better.id == entry.id and better.original.read_bytes() == file.data()
    assert rescue(library, image).known == 1, "and the worse one does not come back"


@pytest.mark.parametrize("lost", [(0,), (1,), (2, 3), (4,), (0, 1, 2, 3), (1, 2, 3, 4), (0, 2, 4)])
def test_sectors_without_a_header_go_where_their_neighbours_leave_no_doubt(
    library: Library, lost: tuple[int, ...]
) -> None:
    before, file, after = talk(6), talk(7), talk(8)
    assert len(file.sectors) == 5
    image = card_image(before, file, after)
    for number in lost:
        damage_header(image[2 + 5 + number])
    report = rescue(library, image)
    assert [entry.number for entry in report.new] == [6, 7, 8] and report.attached_sectors == len(lost)
    salvaged = report.new[1]
    assert salvaged.samples().tolist() == file.heard and salvaged.end_reason == "key" and salvaged.marks == 1
    assert "without a header" in salvaged.details()["notes"][0]


@pytest.mark.parametrize("number, pages", [(2, (1, 15)), (0, (15,))], ids=["by its place", "by its head"])
def test_a_sector_that_lost_what_joins_it_in_time_is_still_placed(
    library: Library, number: int, pages: tuple[int, ...]
) -> None:
    file = talk(7)
    image = card_image(talk(6), file, talk(8))
    damage_header(image[7 + number])
    for page in pages:
        image[7 + number][256 * page + 40] ^= 1
    report = rescue(library, image)
    assert report.attached_sectors == 1 and report.nameless == 0
    assert report.new[1].samples().tolist().count(0) - file.heard.count(0) <= len(pages) * 480
    assert len(pieces(report.new[1])) == len(file.sectors)


def test_a_recording_whose_headers_are_all_gone_is_still_filed_and_its_head_names_it(library: Library) -> None:
    files = [talk(6), talk(7)]
    image = card_image(*files)
    for raw in image[7:12]:
        damage_header(raw)
    report = rescue(library, image)
    assert [entry.number for entry in report.new] == [6, 7] and report.nameless == 1
    assert report.new[1].samples().tolist() == files[1].heard
    assert rescue(library, image).known == 2, "the same bytes are the same recording"


def test_a_sector_between_strangers_becomes_a_recording_of_its_own(library: Library) -> None:
    image = card_image(talk(6), talk(8))
    image[7:7] = [bytearray(talk(7, 3.0).sectors[3])]
    damage_header(image[7])
    report = rescue(library, image)
    assert report.nameless == 1 and report.attached_sectors == 0
    own = next(entry for entry in report.new if entry.number == 0)
    assert pieces(own) == [bytes(image[7])] and own.kept_s > 0


def test_one_that_the_card_had_begun_to_remove_is_filed_and_marked(library: Library) -> None:
    file = talk(7)
    image = card_image(file)
    put_cell(image[2], sector.SAFE)
    put_cell(image[2], sector.DEAD)
    image[3] = bytearray(CLEAN)
    image[4][: sector.SCAN_BYTES] = bytes(sector.SCAN_BYTES)
    (entry,) = rescue(library, image).new
    assert len(pieces(entry)) == 4
    assert "had begun to remove it" in entry.details()["notes"][0]


def test_sectors_that_make_no_sense_are_counted(library: Library) -> None:
    image = card_image(talk(7))
    image[0] = bytearray(random.Random(1).randbytes(SECTOR_BYTES))
    image[1] = bytearray(b"\xff" * SECTOR_BYTES)
    report = rescue(library, image)
    assert report.senseless_sectors == 1 and report.free_sectors == 24 - 5 - 1


def test_an_image_that_ends_in_the_middle_gives_what_it_has(library: Library) -> None:
    file = talk(7)
    path = library.path / "card.img"
    path.write_bytes(b"".join(card_image(file))[: 4 * SECTOR_BYTES + 700])
    report = salvage(path, 0, 24, library)
    assert len(report.new) == 1 and report.new[0].kept_s > 0.8


def spoil(image: list[bytearray], choose: random.Random) -> None:
    """Bits that flip, pages that go, sectors that change places, erases that stopped half-way."""
    for _ in range(choose.randint(1, 30)):
        raw = choose.choice(image)
        kind = choose.randrange(6)
        at = choose.randrange(SECTOR_BYTES)
        if kind == 0:
            raw[at] ^= 1 << choose.randrange(8)
        elif kind == 1:
            raw[at : at + 300] = choose.randbytes(len(raw[at : at + 300]))
        elif kind == 2:
            raw[: sector.SCAN_BYTES] = bytes(sector.SCAN_BYTES)
        elif kind == 3:
            page = at - at % sector.PAGE_BYTES
            raw[page : page + sector.PAGE_BYTES] = choose.choice((b"\0", b"\xff")) * sector.PAGE_BYTES
        elif kind == 4:
            raw[:] = bytes(bits | choose.randrange(256) for bits in raw)
        else:
            raw[:] = choose.choice(image)


@pytest.mark.parametrize("seed", range(24))
def test_every_block_whose_crc_is_right_is_in_what_is_salvaged(library: Library, seed: int) -> None:
    choose = random.Random(seed)
    image = card_image(talk(5, 0.5), talk(6), talk(7, 2.5), talk(8, 0.1), first=choose.randrange(24))
    spoil(image, choose)
    report = rescue(library, image)
    there = set[bytes]().union(*map(valid_blocks, image))
    files = [raw for entry in report.new for raw in pieces(entry)]
    assert there <= set[bytes]().union(*map(valid_blocks, files))
    assert sum(scan(entry.original.read_bytes()).blocks_read for entry in report.new) >= len(there)
    for entry in report.new:
        assert hashlib.sha256(entry.original.read_bytes()).hexdigest() == entry.sha256
    again = rescue(library, image)
    assert again.new == [] and again.known == len(report.new)
