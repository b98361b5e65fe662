"""A card with very many recordings answers as quickly as one with few."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from voicecard.device.client import CardLink
from voicecard.device.emulate import EmulateOptions, running_card
from voicecard.device.image import build_flash_image
from voicecard.device.partitions import partitions
from voicecard.firmware.wire import block, sector

RECORDINGS = 500
READ_US, READ_BYTES_PER_US = 50, 10  # of a call to the flash, as emulator/flash.py prices it
MOST_US = 500_000


def write_recording(flash: bytearray, at: int, number: int) -> None:
    """A finished recording of a minute of silence, in one sector."""
    raw = memoryview(flash)[at : at + sector.SECTOR_BYTES]
    sector.pack_header(raw, number, 0, 1, number.to_bytes(8, "little"), 60_000_000 * number)
    sound = (block.SAMPLE_RATE, block.FRAME_SAMPLES, block.CODEC_IMA_ADPCM, block.KIND_RECORDING)
    head = block.Head("k3f92b", "0.1.0", number, 1, 60_000_000 * number, 0, 0, *sound, "{}")
    length = 60 * block.SAMPLE_RATE
    blocks = [
        block.pack_block(block.HEAD, 0, block.pack_head(head)),
        block.pack_block(block.GAP, 0, block.pack_gap(block.Gap(length, 1, 2, block.GAP_SILENCE))),
        block.pack_block(block.END, length, block.pack_end(block.End(block.END_KEY, 0, 0, 0))),
    ]
    into = sector.BLOCKS_AT
    for packed in blocks:
        raw[into : into + len(packed)] = packed
        into += len(packed)
    ended = sector.pack_cell(sector.ENDED, struct.pack("<B3xI", block.END_KEY, length))
    for index in sector.CELLS_OF[sector.ENDED]:
        cell = sector.CELLS_AT + index * sector.CELL_BYTES
        raw[cell : cell + sector.CELL_BYTES] = ended


@pytest.fixture
def crowded(tmp_path: Path) -> Path:
    path = tmp_path / "card.img"
    build_flash_image(path, card_name="k3f92b", seed=1)
    flash = bytearray(path.read_bytes())
    start = partitions(path)["recordings"].offset
    for number in range(1, RECORDINGS + 1):
        write_recording(flash, start + (number - 1) * sector.SECTOR_BYTES, number)
    path.write_bytes(flash)
    return path


def test_status_and_a_whole_listing_of_500_recordings_take_half_a_second_of_flash_time(crowded: Path) -> None:
    spent_us = {}
    for visit in (False, True):
        options = EmulateOptions(flash=crowded, script="boot; plug" if visit else "boot; wait 1s")
        with running_card(options) as card:
            if visit:
                with CardLink.open(str(card.port())) as link:
                    assert link.status()["recordings"] == RECORDINGS
                    listed = link.recordings("c0ffee")
            calls = card.report().cycles[0].flash["recordings"]
        assert calls["programs"] == calls["erases"] == 0
        spent_us[visit] = calls["reads"] * READ_US + calls["read_bytes"] // READ_BYTES_PER_US
    assert [entry.number for entry in listed] == list(range(1, RECORDINGS + 1))
    assert {entry.samples for entry in listed} == {60 * block.SAMPLE_RATE} and all(entry.ended for entry in listed)
    assert spent_us[True] - spent_us[False] <= MOST_US
    assert spent_us[False] <= 1_000_000, "the start itself, for 16 MB"
