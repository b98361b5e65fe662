"""A card's file gives back its true time line, and whatever happened to the file, all that is still in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vcr import CardFile, conversation, tone

from voicecard.errors import FormatError
from voicecard.firmware.wire import block
from voicecard.firmware.wire.sector import SECTOR_BYTES
from voicecard.library.recording import Gap, Recording, read_recording
from voicecard.library.sound import chunks, samples, sound_samples

TWELVE_HOURS = block.MAX_RECORDING_SAMPLES


def heard(recording: Recording, silence: str = "keep") -> list[int]:
    return samples(recording, silence).tolist()  # type: ignore[arg-type]


def assert_adds_up(recording: Recording) -> None:
    explained = recording.kept_samples + sum(gap.samples for gap in recording.gaps) + recording.lost_samples
    assert explained + recording.unknown_samples == recording.length_samples
    assert len(recording.sound.start) == sum(len(stretch.blocks) for stretch in recording.stretches)


def test_every_part_of_a_whole_recording_is_told() -> None:
    card = CardFile(kind=block.KIND_MEMO).audio(tone(0.3)).mark()
    card.gap(16000, 10, 40).gap(4000, 30, 90).gap(800, reason=block.GAP_PAUSED)
    card.event(block.EVENT_BATTERY, 3712).lost(256).audio(tone(0.3), speech=False).skip(100).audio(tone(0.09)).end()
    recording = read_recording(card.data())

    assert (recording.card, recording.number, recording.nonce) == ("k3f92b", 12, "ab12cd34ef560789")
    assert (recording.boot, recording.firmware, recording.kind) == (3, "0.1.0", "memo")
    assert (recording.wall_ms, recording.wall_uncertainty_ms) == (1_795_324_140_000, 250)
    assert recording.settings == {"gate": "level", "gain_db": 12}
    assert [(s.start_samples, s.samples) for s in recording.stretches] == [(0, 4800), (25856, 4800), (30756, 1440)]
    assert recording.gaps == (Gap(4800, 20000, 14, 90, "silence"), Gap(24800, 800, 20, 90, "paused"))
    assert recording.marks_samples == (4800,)
    assert [(e.at_samples, e.event, e.value) for e in recording.events] == [
        (25600, "battery", 3712),
        (25600, "samples lost", 256),
    ]
    assert (recording.lost_samples, recording.unknown_samples, recording.speech_samples) == (256, 100, 6240)
    assert (recording.length_samples, recording.end_reason, recording.notes) == (len(card.heard), "key", ())
    assert_adds_up(recording)


def test_sound_is_exact_on_the_true_time_line_and_trimmed() -> None:
    card = conversation()
    recording = read_recording(card.data())
    assert heard(recording) == card.heard
    assert heard(recording, "trim") == card.kept


def test_sound_past_the_end_is_cut_off() -> None:
    card = CardFile().audio(tone(0.6))
    recording = read_recording(card.end(position=9000).data())
    assert heard(recording) == heard(recording, "trim") == card.heard[:9000]


def test_a_recording_without_an_end_is_as_long_as_its_last_block() -> None:
    card = CardFile().audio(tone(0.6)).gap(5000)
    recording = read_recording(card.data())
    assert recording.end_reason is None
    assert recording.length_samples == 9600 + 5000


def test_a_recording_begun_without_a_clock_is_placed_when_the_clock_is_set() -> None:
    card = CardFile(wall_ms=0).audio(tone(0.6)).event(block.EVENT_CLOCK_SET, 20, 1_795_324_140_600).end()
    recording = read_recording(card.data())
    assert (recording.wall_ms, recording.wall_uncertainty_ms) == (1_795_324_140_000, 20)


def test_a_missing_sector_costs_its_own_sound_and_nothing_else() -> None:
    card = CardFile().audio(tone(2.4)).end()
    data = card.data()
    recording = read_recording(data[: 2 * SECTOR_BYTES] + data[3 * SECTOR_BYTES :])
    # The head takes a page of the first sector; a sector holds 15 frames.
    gone = slice(29 * 480, 44 * 480)
    assert recording.unknown_samples == 15 * 480
    assert heard(recording) == [*card.heard[: gone.start], *[0] * 15 * 480, *card.heard[gone.stop :]]
    assert recording.notes == ("1 sectors are missing",)


def test_a_damaged_block_costs_its_own_sound_and_nothing_else() -> None:
    card = CardFile().audio(tone(1.2)).end()
    card.sectors[1][256 * 5 + 100] ^= 1
    recording = read_recording(card.data())
    assert recording.damaged_sectors == (1,)
    gone = slice(18 * 480, 19 * 480)
    assert heard(recording) == [*card.heard[: gone.start], *[0] * 480, *card.heard[gone.stop :]]


@pytest.mark.parametrize("where, what", [(0, 0x00), (0, 0xFF), (2, 0xFF)])
def test_small_blocks_behind_a_damaged_one_in_the_same_page_are_found(where: int, what: int) -> None:
    card = CardFile().gap(100, 1, 2).gap(200, 3, 4).gap(300, 5, 6).end()
    gap = next(found for found in block.walk(card.sectors[0]) if found.kind == block.GAP)
    card.sectors[0][gap.at + where] = what
    recording = read_recording(card.data())
    assert recording.unknown_samples == 100 and recording.end_reason == "key"
    assert [(gap.start_samples, gap.samples) for gap in recording.gaps] == [(100, 500)]


def test_a_page_that_the_card_itself_zeroed_is_no_damage() -> None:
    card = CardFile().audio(tone(0.3))
    card.put(block.EVENT, bytes(16))
    card.sectors[-1][12 * 256 : 13 * 256] = bytes(256)
    card.new_sector().audio(tone(0.3)).end(block.END_POWER_LOST)
    recording = read_recording(card.data())
    assert (recording.damaged_sectors, recording.end_reason) == ((), "power lost")
    assert heard(recording) == card.heard


def test_without_its_head_a_recording_is_still_heard_and_named_by_its_sectors() -> None:
    card = CardFile(head=False).audio(tone(0.6)).end()
    recording = read_recording(card.data())
    assert (recording.card, recording.number, recording.nonce, recording.boot) == ("k3f92b", 12, "ab12cd34ef560789", 3)
    assert heard(recording) == card.heard
    assert any("head is missing" in note for note in recording.notes)


def test_sectors_out_of_order_twice_there_or_without_header_lose_no_sound() -> None:
    card = CardFile().audio(tone(1.2)).end()
    first, second, third = (bytes(raw) for raw in card.sectors)
    headless = bytearray(second)
    headless[40] ^= 1
    recording = read_recording(third + first + bytes(headless) + first)
    assert heard(recording) == card.heard
    assert recording.notes == ("1 sectors have an unreadable header",)


def test_sectors_of_another_recording_are_passed_over() -> None:
    card = CardFile().audio(tone(1.2)).end()
    other = CardFile(nonce=bytes(8)).audio(tone(0.3, 900))
    recording = read_recording(other.data() + card.data())
    assert recording.nonce == card.nonce.hex()
    assert heard(recording) == card.heard


def test_unknown_blocks_and_senseless_positions_are_passed_over() -> None:
    card = CardFile().audio(tone(0.3)).put(77, b"from the future")
    card.put(block.AUDIO, bytes(2)).put(block.GAP, bytes(3)).put(block.MARK, position=0xFFFFFFF0)
    recording = read_recording(card.audio(tone(0.3)).end().data())
    assert heard(recording) == card.heard
    assert recording.notes == (
        "3 blocks cannot be understood",
        "1 blocks are of a kind that a newer voicecard may know",
    )


def test_a_file_cut_short_gives_its_whole_sectors() -> None:
    card = CardFile().audio(tone(1.2)).end()
    recording = read_recording(card.data()[: 2 * SECTOR_BYTES + 1000])
    assert heard(recording) == card.heard[: 29 * 480]
    assert recording.notes == ("1000 bytes at the end are no whole sector",)


@pytest.mark.parametrize("data", [b"", b"RIFF" * 5000, b"\xff" * 8192, bytes(8192)])
def test_what_is_no_recording_is_refused_in_a_sentence(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.vcr"
    path.write_bytes(data)
    with pytest.raises(FormatError, match="nothing in it is readable"):
        read_recording(path)


def test_a_file_that_is_not_there_is_told() -> None:
    with pytest.raises(FormatError, match="cannot be read"):
        read_recording(Path("nowhere.vcr"))


def test_twelve_hours_come_in_small_pieces() -> None:
    card = CardFile().audio(tone(0.3))
    card.position = TWELVE_HOURS - 4800
    recording = read_recording(card.audio(tone(0.3)).end().data())
    lengths = [len(chunk) for chunk in chunks(recording)]
    assert sum(lengths) == TWELVE_HOURS
    assert max(lengths) <= 1 << 20


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_damage_anywhere_gives_a_recording_that_adds_up_or_a_sentence(data: st.DataObject) -> None:
    raw = bytearray(WHOLE)
    for _ in range(data.draw(st.integers(1, 8))):
        start = data.draw(st.integers(0, len(raw) - 1))
        spoiled = data.draw(st.binary(min_size=1, max_size=40))
        raw[start : start + len(spoiled)] = spoiled
    try:
        recording = read_recording(bytes(raw[data.draw(st.integers(0, 4096)) :]))
    except FormatError:
        return
    assert_adds_up(recording)
    assert len(samples(recording)) == recording.length_samples


WHOLE = conversation().data()

any_position = st.one_of(st.integers(0, 20_000), st.integers(0, TWELVE_HOURS + 10**6), st.integers(0, 2**32 - 1))
any_block = st.tuples(
    st.one_of(st.integers(1, 7), st.just(block.AUDIO)), any_position, st.binary(max_size=244), st.integers(0, 255)
)


@settings(max_examples=150, deadline=None)
@given(st.lists(any_block, max_size=30), st.integers(0, 2**32 - 1))
def test_valid_blocks_of_any_content_add_up(blocks: list[tuple[int, int, bytes, int]], gap_samples: int) -> None:
    card = CardFile(head=False).new_sector()
    card.put(block.GAP, block.pack_gap(block.Gap(gap_samples, 1, 2, 3)), position=700)
    for kind, position, payload, flags in blocks:
        card.put(kind, payload, flags, position)
    recording = read_recording(card.data())
    assert_adds_up(recording)
    assert np.all(np.diff(recording.sound.start) > 0)
    assert sum(len(chunk) for chunk in chunks(recording, "trim")) == sound_samples(recording, "trim")
    assert all(gap.samples > 0 for gap in recording.gaps)
