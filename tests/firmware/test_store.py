"""The sector log on an emulated NOR flash: what is finished stays, what is cut is closed, what is full says so."""

from card.errors import NotPrepared, StorageFull
from emulator import board
from emulator.world import PowerOff
from prepared import CARD, counts, file_of, make_image, power_on
from wire import block, sector

IMAGE = "flash.img"


def audio_page(position):
    return block.pack_block(block.AUDIO, position, bytes((position >> 5 & 0x7F,)) * 244)


def record(log, frames, reason=block.END_KEY):
    """A recording of so many frames; returns its number."""
    writer = log.begin()
    writer.append(block.pack_block(block.HEAD, 0, bytes(60)))
    for n in range(frames):
        writer.audio(audio_page(n * 480))
        if n % 10 == 9:
            writer.append(block.pack_block(block.MARK, n * 480))
    writer.end(frames * 480, reason, frames * 480, 0, frames // 10)
    log.finished(reason, frames * 480)
    return writer.recording


def kinds(data):
    """Kinds of all blocks of a recording's file, in order."""
    found = []
    for start in range(0, len(data), sector.SECTOR_BYTES):
        found += [b.kind for b in block.walk(data[start : start + sector.SECTOR_BYTES])]
    return found


def test_recordings_come_back_byte_for_byte_after_a_restart():
    make_image(IMAGE, 64)
    log, _ = power_on(IMAGE)
    numbers = [record(log, frames) for frames in (1, 14, 15, 100)]
    files = [file_of(log, n) for n in numbers]
    entries = [log.entry(n) for n in numbers]
    assert numbers == [1, 2, 3, 4] and log.boot == 1
    log, _ = power_on(IMAGE)
    assert log.recordings == numbers and log.boot == 2 and log.card == CARD
    assert [file_of(log, n) for n in numbers] == files
    assert [log.entry(n) for n in numbers] == entries
    for entry, data, frames in zip(entries, files, (1, 14, 15, 100)):
        assert entry.samples == frames * 480 and entry.reason == block.END_KEY
        assert kinds(data).count(block.AUDIO) == frames and kinds(data)[-1] == block.END
    assert record(log, 3) == 5
    assert len({log.entry(n).nonce for n in log.recordings}) == 5


def test_recording_only_programs_at_most_a_page_and_never_erases():
    make_image(IMAGE, 64)
    log, _ = power_on(IMAGE)
    record(log, 300)
    assert counts()["erases"] == 0 and counts()["page_crossings"] == 0
    assert counts()["largest_program"] == 256


def test_full_stops_the_recording_and_leaves_room_to_close_it():
    make_image(IMAGE, 10)
    log, _ = power_on(IMAGE)
    writer = log.begin()
    position = 0
    try:
        while True:
            writer.audio(audio_page(position))
            position += 480
    except StorageFull:
        pass
    assert position == 480 * 15 * 6, "all but the four sectors in reserve"
    writer.end(position, block.END_STORAGE_FULL, position, 0, 0)
    log.finished(block.END_STORAGE_FULL, position)
    assert log.seconds_left == 0
    log, _ = power_on(IMAGE)
    entry = log.entry(1)
    assert (entry.reason, entry.samples) == (block.END_STORAGE_FULL, position)
    try:
        log.begin().audio(audio_page(0))
        raise AssertionError("recorded on a full card")
    except StorageFull:
        pass


def test_a_cut_at_every_flash_operation_leaves_finished_recordings_whole_and_closes_the_open_one():
    make_image(IMAGE, 24)
    log, _ = power_on(IMAGE)
    first = file_of(log, record(log, 20))
    with open(IMAGE, "rb") as image:
        before = image.read()
    operation, phases = 1, ("before", "mid", "after")
    cuts = 0
    while True:
        with open(IMAGE, "wb") as image:
            image.write(before)
        log, _ = power_on(IMAGE, cut_at=(operation, phases[cuts % 3]), seed=cuts)
        written = 0
        try:
            writer = log.begin()
            writer.append(block.pack_block(block.HEAD, 0, bytes(60)))
            for n in range(20):
                writer.audio(audio_page(n * 480))
                written = n + 1
            writer.end(20 * 480, block.END_KEY, 20 * 480, 0, 0)
            log.finished(block.END_KEY, 20 * 480)
        except PowerOff:
            cuts += 1
        else:
            break
        operation += cuts % 3 == 0
        log, _ = power_on(IMAGE)
        assert file_of(log, 1) == first
        if 2 in log.recordings:
            data = file_of(log, 2)
            assert kinds(data).count(block.AUDIO) >= written
            assert kinds(data)[-1] == block.END and log.entry(2).reason in (block.END_POWER_LOST, block.END_KEY)
        else:
            assert written == 0
        again = [file_of(log, n) for n in log.recordings]
        log, _ = power_on(IMAGE)
        assert [file_of(log, n) for n in log.recordings] == again, "closed once and for all"
        record(log, 5)
    assert operation > 20


def test_safe_is_a_cell_that_the_file_does_not_show():
    make_image(IMAGE, 16)
    log, _ = power_on(IMAGE)
    record(log, 5)
    data = file_of(log, 1)
    assert log.entry(1).flags == 1
    assert log.mark_safe(1, b"12345678rest", b"lib") and log.mark_safe(1, b"12345678rest", b"lib")
    assert log.entry(1).flags == 3 and file_of(log, 1) == data
    log, _ = power_on(IMAGE)
    assert log.entry(1).flags == 3


def test_flash_that_is_no_cards_is_refused():
    make_image(IMAGE, 16, marked=False)
    try:
        power_on(IMAGE)
        raise AssertionError("opened")
    except NotPrepared:
        assert board.flash.operations == 0


def test_a_sector_that_is_not_blank_is_set_aside_and_a_worn_page_is_written_elsewhere():
    make_image(IMAGE, 16)
    with open(IMAGE, "r+b") as image:
        image.seek(0x10000 + 4000)
        image.write(b"\xfe")
    log, _ = power_on(IMAGE)
    record(log, 5)
    assert log.sectors_of(1) == [1]
    log, partition = power_on(IMAGE)
    clear = partition.writeblocks

    class Worn:
        """The second page of sector 2 no longer takes what it is given."""

        def __getattr__(self, name):
            return getattr(partition, name)

        def writeblocks(self, number, data, offset=None):
            clear(number, bytes(len(data)) if (number, offset) == (2, 512) else data, offset)

    log._flash._partition = Worn()
    record(log, 5)
    data = file_of(log, 2)
    assert kinds(data).count(block.AUDIO) == 5 and log.sectors_of(2) == [2, 3]
    events = [b for b in block.walk(data[4096:]) if b.kind == block.EVENT]
    told = [block.read_event(data[4096 + b.payload_at :]) for b in events]
    assert told == [block.Event(block.EVENT_PAGE_REWRITTEN, 2, 0)]


def test_a_header_that_flash_does_not_keep_never_reads_as_the_recordings():
    make_image(IMAGE, 16)
    log, partition = power_on(IMAGE)
    clear = partition.writeblocks

    class Fading:
        """Sector 0 keeps its header, but does not read so at first."""

        fresh = True

        def __getattr__(self, name):
            return getattr(partition, name)

        def readblocks(self, number, data, offset=0):
            partition.readblocks(number, data, offset)
            if (number, offset, len(data)) == (0, sector.HEADER_AT, sector.HEADER_BYTES) and self.fresh:
                self.fresh = False
                data[0] ^= 1

        def writeblocks(self, number, data, offset=None):
            clear(number, data, offset)

    log._flash._partition = Fading()
    record(log, 20)
    data = file_of(log, 1)
    log, _ = power_on(IMAGE)
    assert log.sectors_of(1) == [1, 2] and file_of(log, 1) == data


def test_recovery_counts_what_was_kept_lost_and_marked():
    make_image(IMAGE, 16)
    log, _ = power_on(IMAGE)
    writer = log.begin()
    writer.audio(audio_page(0))
    writer.append(block.pack_block(block.EVENT, 480, block.pack_event(block.Event(block.EVENT_SAMPLES_LOST, 512, 0))))
    writer.append(block.pack_block(block.MARK, 480))
    writer.audio(audio_page(992))
    log, _ = power_on(IMAGE)
    data = file_of(log, 1)
    (end,) = [b for b in block.walk(data[4096:]) if b.kind == block.END]
    assert end.position == 1472
    assert block.read_end(data[4096 + end.payload_at :]) == block.End(block.END_POWER_LOST, 960, 512, 1)
