"""What a cut tore reads the same for ever once the card has been started again, however it read at that start."""

from emulator import board
from emulator.noise import Noise
from emulator.world import PowerOff
from prepared import CARD, PARTITION_AT, file_of, make_image, power_on
from wire import block, sector

IMAGE = "flash.img"
FRAMES = 8
MOST_SEEDS, ENOUGH = 2000, 4
READINGS = 8


def cut_recording(operation, seed):
    """Cut a recording in an operation and start again: (log, frames that had been programmed whole)."""
    make_image(IMAGE, 12)
    log, _ = power_on(IMAGE, seed=seed, cut_at=(operation, "mid"))
    frames = 0
    try:
        writer = log.begin()
        writer.append(block.pack_block(block.HEAD, 0, bytes(60)))
        for frames in range(FRAMES):
            writer.audio(block.pack_block(block.AUDIO, frames * 480, bytes((seed + frames * 37 + 1 & 0xFF,)) * 244))
    except PowerOff:
        log, _ = power_on(IMAGE, seed=seed)
        return log, frames
    raise AssertionError("nothing was cut")


def frames_of(data):
    kept = 0
    for start in range(0, len(data), sector.SECTOR_BYTES):
        kept += len([b for b in block.walk(data[start : start + sector.SECTOR_BYTES]) if b.kind == block.AUDIO])
    return kept


def test_a_torn_audio_page_that_reads_well_at_the_start_reads_so_for_ever():
    found = 0
    for seed in range(MOST_SEEDS):
        log, frames = cut_recording(5 + seed % 4, seed)
        (recording,) = log.recordings
        first = file_of(log, recording)
        assert frames_of(first) in (frames, frames + 1)
        if frames_of(first) == frames + 1:  # torn so late that no more than its last bits were in between
            assert [file_of(log, recording) for _ in range(READINGS)] == [first] * READINGS
            log, _ = power_on(IMAGE, seed=seed + 1)
            assert file_of(log, recording) == first
            found += 1
        if found == ENOUGH:
            return
    raise AssertionError("no page was torn so")


def test_a_torn_header_is_a_recordings_for_good_or_nobodys():
    for seed in range(60):
        log, _ = cut_recording(1 + seed % 2, seed)
        for _ in range(READINGS):
            again, _ = power_on(IMAGE, seed=seed)
            assert again.recordings == log.recordings


def test_a_marker_that_was_being_written_is_firm_in_a_recordings_file():
    taken = 0
    for seed in range(MOST_SEEDS):
        make_image(IMAGE, 12)
        board.reset(flash_path=IMAGE, seed=seed)
        second = PARTITION_AT + sector.SECTOR_BYTES
        marker = bytearray(sector.SCAN_BYTES)
        sector.pack_marker(marker, 2, 0, 0, CARD)
        board.flash.cells.erase(second)
        board.flash.cells.tear_program(second, marker, sector.MARKER_BYTES, Noise("marker %d" % seed))
        log, _ = power_on(IMAGE, seed=seed)
        writer = log.begin()
        for n in range(40):
            writer.audio(block.pack_block(block.AUDIO, n * 480, bytes(244)))
        if 1 in log.sectors_of(writer.recording):  # the marker read well
            first = file_of(log, writer.recording)
            assert [file_of(log, writer.recording) for _ in range(READINGS)] == [first] * READINGS
            taken += 1
        if taken == ENOUGH:
            return
    raise AssertionError("no marker was torn so")
