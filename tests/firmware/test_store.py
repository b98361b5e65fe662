"""The sector log on an emulated NOR flash: what is finished stays, what is cut is closed, what is full says so."""

from card.errors import NotPrepared, StorageFull
from card.store.index import Index
from emulator import board
from emulator.world import PowerOff
from prepared import CARD, content, counts, file_of, make_image, power_on, put_back
from wire import block, message, sector

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
    assert position == 480 * 15 * 5, "all but the four sectors in reserve and the first in line"
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
    before = content(IMAGE)
    operation, phases = 1, ("before", "mid", "after")
    cuts = 0
    while True:
        put_back(IMAGE, before)
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
        image.seek(0x10000 + 4096 + 4000)
        image.write(b"\xfe")
    log, _ = power_on(IMAGE)
    record(log, 5)
    assert log.sectors_of(1) == [2]
    log, partition = power_on(IMAGE)
    clear = partition.writeblocks

    class Worn:
        """The second page of sector 4 no longer takes what it is given."""

        def __getattr__(self, name):
            return getattr(partition, name)

        def writeblocks(self, number, data, offset=None):
            clear(number, bytes(len(data)) if (number, offset) == (4, 512) else data, offset)

    log._flash._partition = Worn()
    record(log, 5)
    data = file_of(log, 2)
    assert kinds(data).count(block.AUDIO) == 5 and log.sectors_of(2) == [4, 5]
    events = [b for b in block.walk(data[4096:]) if b.kind == block.EVENT]
    told = [block.read_event(data[4096 + b.payload_at :]) for b in events]
    assert told == [block.Event(block.EVENT_PAGE_REWRITTEN, 4, 0)]


def test_a_header_that_flash_does_not_keep_never_reads_as_the_recordings():
    make_image(IMAGE, 16)
    log, partition = power_on(IMAGE)
    clear = partition.writeblocks

    class Fading:
        """Sector 1 keeps its header, but does not read so at first."""

        fresh = False

        def __getattr__(self, name):
            return getattr(partition, name)

        def readblocks(self, number, data, offset=0):
            partition.readblocks(number, data, offset)
            if (number, offset, len(data)) == (1, 0, sector.SCAN_BYTES) and self.fresh:
                self.fresh = False
                data[0] ^= 1

        def writeblocks(self, number, data, offset=None):
            clear(number, data, offset)
            self.fresh = (number, offset, len(data)) == (1, 0, sector.SCAN_BYTES) and any(data)

    log._flash._partition = Fading()
    record(log, 20)
    data = file_of(log, 1)
    log, _ = power_on(IMAGE)
    assert log.sectors_of(1) == [2, 3] and file_of(log, 1) == data


def test_recovery_leaves_the_length_true_after_losses_and_marks():
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
    assert end.position == 1472 == log.entry(1).samples
    assert block.read_end(data[4096 + end.payload_at :]).reason == block.END_POWER_LOST


def test_whatever_a_cut_tore_reads_the_same_ever_after():
    """Bits that a cut leaves half programmed read differently each time: in a header, a page of sound, a small block, an end."""
    make_image(IMAGE, 12)
    image = content(IMAGE)
    kinds_of_program = {}

    def run(log):
        writer = log.begin()
        for n in range(17):
            writer.audio(audio_page(n * 480))
            writer.append(block.pack_block(block.MARK, n * 480)) if n in (1, 2, 16) else None
        writer.end(17 * 480, block.END_KEY, 0, 0, 0)
        log.finished(block.END_KEY, 17 * 480)

    def note(kind, label, offset, size, time_us):
        if kind == "program":
            kinds_of_program.setdefault((offset % 4096 in (0, 256), size), board.flash.operations + 1)

    log, _ = power_on(IMAGE, flash_log=note)
    run(log)
    assert len(kinds_of_program) >= 6
    for (_, size), operation in kinds_of_program.items():
        for seed in range(400 if size == sector.SCAN_BYTES else 40):  # that a torn header reads right twice is rare
            put_back(IMAGE, image)
            log, _ = power_on(IMAGE, cut_at=(operation, "mid"), seed=seed)
            try:
                run(log)
                raise AssertionError("not cut")
            except PowerOff:
                pass
            log, _ = power_on(IMAGE, seed=seed)
            data = [file_of(log, n) for n in log.recordings]
            for _ in range(3):
                log, _ = power_on(IMAGE, seed=seed + 1)
                assert data == [file_of(log, n) for n in log.recordings]


def test_an_end_that_was_torn_in_its_cell_is_told_the_same_at_every_listing():
    make_image(IMAGE, 12)
    image = content(IMAGE)
    log, _ = power_on(IMAGE)
    record(log, 5)
    told = log.entry(1)
    last = board.flash.operations
    for operation in (last - 1, last):  # the two cells
        for seed in range(200):
            put_back(IMAGE, image)
            log, _ = power_on(IMAGE, cut_at=(operation, "mid"), seed=seed)
            try:
                record(log, 5)
                raise AssertionError("not cut")
            except PowerOff:
                pass
            for restart in range(2):
                log, _ = power_on(IMAGE, seed=seed + restart)
                listed = [log.entry(1) for _ in range(10)]
                assert {(e.samples, e.reason, e.flags) for e in listed} == {(told.samples, told.reason, told.flags)}


def test_the_sector_that_was_first_in_line_before_a_start_is_erased_before_use():
    make_image(IMAGE, 16)
    for n in range(3):
        log, _ = power_on(IMAGE)
        record(log, 5)
        assert log.sectors_of(n + 1) == [2 * n + 1]
    assert log.clean_sectors == 10
    for _ in log.tidy("never", 0):
        pass
    assert log.clean_sectors == 13 and counts()["erases"] == 3


def headers_of(log, recording):
    return [sector.read_header(file_of(log, recording)[at:]) for at in range(0, len(file_of(log, recording)), 4096)]


def test_a_supply_that_fails_at_every_start_cannot_fill_the_card():
    make_image(IMAGE, 16)
    log, _ = power_on(IMAGE)
    writer = log.begin()
    for n in range(20):
        writer.audio(audio_page(n * 480))
    for start in range(6):
        for operation in range(1, 12):
            try:
                power_on(IMAGE, cut_at=(operation, "mid"), seed=start * 100 + operation)
            except PowerOff:
                continue
            break
    log, _ = power_on(IMAGE)
    assert len(log.sectors_of(1)) <= 2 + 2 and log.entry(1).samples == 20 * 480
    assert log.entry(1).flags == message.LISTED_ENDED


def test_after_two_starts_that_failed_only_the_cell_says_that_it_is_cut():
    make_image(IMAGE, 16)
    log, _ = power_on(IMAGE)
    writer = log.begin()
    for n in range(20):
        writer.audio(audio_page(n * 480))
    for _ in range(2):  # each start takes a sector for the end block, and dies while that is written
        power_on_until_the_end_block_is_torn()
    log, _ = power_on(IMAGE)
    assert (log.entry(1).reason, log.entry(1).samples) == (block.END_CUT, 20 * 480)
    assert log.sectors_of(1) == [1, 2, 4, 6] and log.clean_sectors == 16 - 7
    before = file_of(log, 1)
    log, _ = power_on(IMAGE)
    assert file_of(log, 1) == before and log.entry(1).reason == block.END_CUT


def power_on_until_the_end_block_is_torn():
    """Cut at the program of the end block: the first one, in this start, behind the page that describes a sector."""
    before = content(IMAGE)
    operation = 1
    while True:
        put_back(IMAGE, before)
        programs = []

        def note(kind, label, offset, size, time_us):
            if kind == "program":
                programs.append((offset, size))

        try:
            power_on(IMAGE, cut_at=(operation, "mid"), seed=operation, flash_log=note)
            raise AssertionError("no end block was written")
        except PowerOff:
            offset, size = programs[-1]
            if offset % 4096 == 256 and size == 28:
                return
        operation += 1


def test_a_sector_whose_header_was_torn_is_erased_and_its_number_used_again():
    make_image(IMAGE, 16)
    log, _ = power_on(IMAGE)
    writer = log.begin()
    for n in range(15):
        writer.audio(audio_page(n * 480))
    with open(IMAGE, "r+b") as image:  # the next sector's header, half programmed
        image.seek(0x10000 + 2 * 4096 + sector.HEADER_AT)
        image.write(b"VCs1\x01")
    log, _ = power_on(IMAGE)
    assert log.sectors_of(1) == [1, 4] and [h.number for h in headers_of(log, 1)] == [0, 1]
    assert log.set_aside_sectors == 0 and log.clean_sectors == 11
    for _ in log.tidy("never", 0):
        pass
    assert log.clean_sectors == 14


def test_what_makes_no_sense_is_set_aside_counted_and_never_erased():
    make_image(IMAGE, 16)
    with open(IMAGE, "r+b") as image:
        image.seek(0x10000 + 3 * 4096)
        image.write(bytes(range(256)) * 16)
    log, _ = power_on(IMAGE)
    for _ in log.tidy("at once", 95):
        pass
    assert log.set_aside_sectors == 1 and log.clean_sectors == 15 and counts()["erases"] == 0


def test_an_encrypted_partition_is_refused():
    make_image(IMAGE, 16)
    with open(IMAGE, "r+b") as image:
        image.seek(0x8000 + 28)
        image.write(b"\x01")
    try:
        power_on(IMAGE)
        raise AssertionError("opened")
    except NotPrepared:
        assert board.flash.operations == 0


def test_without_recovery_nothing_is_written_and_what_was_cut_counts_as_open():
    make_image(IMAGE, 16)
    log, _ = power_on(IMAGE)
    record(log, 5)
    log.begin().audio(audio_page(0))
    log, _ = power_on(IMAGE, recover=False)
    assert board.flash.operations == 0
    assert [log.is_open(n) for n in log.recordings] == [False, True]
    assert log.entry(1).flags == message.LISTED_ENDED and log.entry(2).flags == 0


def test_the_index_of_sixteen_megabytes_with_five_hundred_recordings_is_small_and_quick():
    import gc

    make_image(IMAGE, 3456)
    with open(IMAGE, "r+b") as image:
        header = bytearray(64)
        at = 1234  # recordings lie round the end of the partition
        for recording in range(1, 501):
            for number in range(1 + recording % 12):
                sector.pack_header(header, recording, number, 1, b"%08d" % recording, 0)
                image.seek(0x10000 + at % 3456 * 4096 + sector.HEADER_AT)
                image.write(header[sector.HEADER_AT :])
                if number == 0:
                    image.write(sector.pack_cell(sector.ENDED, bytes(8)))
                at += 1
    log, _ = power_on(IMAGE)
    assert board.world.now_us < 1_000_000, "of flash time, before the first screen"
    for _ in range(2):  # what the first one leaves lying about is not the second one's
        index = None
        gc.collect()
        before_bytes = gc.mem_alloc()
        index = Index(log._flash)
        gc.collect()
        index_bytes = gc.mem_alloc() - before_bytes
    assert index_bytes <= 24 * 1024
    start_us = board.world.now_us
    entries = [log.entry(n) for n in log.recordings]
    assert board.world.now_us - start_us < 500_000
    assert [e.recording for e in entries] == list(range(1, 501)) and log.recordings == index.recordings
    assert [e.sectors for e in entries] == [1 + n % 12 for n in range(1, 501)]
    assert log.sectors_of(500) == [s % 3456 for s in range(at - 9, at)]
    assert record(log, 1) == 501 and log.sectors_of(501) == [(at + 1) % 3456]
