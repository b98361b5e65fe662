"""The emulated flash is NOR with the part's prices and errors, and a cut leaves what a real cut leaves."""

import os

import esp32
import micropython

from emulator import board
from emulator.world import PowerOff
from prepared import PARTITION_AT, make_image

IMAGE = "flash.bin"
SECTOR = 4096


def partition(sectors=4, **options):
    make_image(IMAGE, sectors)
    board.reset(flash_path=IMAGE, **options)
    (found,) = esp32.Partition.find(esp32.Partition.TYPE_DATA, label="recordings")
    return found


def stored(offset, size):
    with open(IMAGE, "rb") as image:
        image.seek(PARTITION_AT + offset)
        return image.read(size)


def error_of(action, *args):
    try:
        action(*args)
    except OSError as error:
        return error.args
    raise AssertionError("no error")


def test_three_arguments_only_clear_bits_and_two_erase_first():
    flash = partition()
    flash.ioctl(6, 1)
    assert stored(SECTOR, SECTOR) == b"\xff" * SECTOR
    flash.writeblocks(1, b"\xf0\xff", 10)
    flash.writeblocks(1, bytearray(b"\x3c\x0f"), 10)
    assert stored(SECTOR + 9, 4) == b"\xff\x30\x0f\xff"
    flash.writeblocks(1, bytes(range(256)) * 16)
    assert stored(SECTOR, SECTOR) == bytes(range(256)) * 16


def test_reading_takes_any_offset_and_length():
    flash = partition()
    flash.writeblocks(0, bytes(range(256)) * 16)
    buf = bytearray(5)
    flash.readblocks(0, buf, 254)
    assert buf == b"\xfe\xff\x00\x01\x02"
    flash.readblocks(0, memoryview(buf)[:2])
    assert buf[:2] == b"\x00\x01"


def test_every_call_has_its_price():
    for worst, program_us, erase_us in ((False, 200, 45_000), (True, 3_000, 400_000)):
        flash = partition(worst_case_flash=worst)
        for action, args, price_us in (
            (flash.readblocks, (0, bytearray(256), 0), 50 + 25),
            (flash.writeblocks, (0, bytes(256), 0), 4 * program_us),
            (flash.writeblocks, (0, bytes(2), 255), 2 * program_us),
            (flash.writeblocks, (1, bytes(SECTOR)), erase_us + 64 * program_us),
            (flash.ioctl, (6, 0), erase_us),
        ):
            start_us = board.world.now_us
            action(*args)
            assert board.world.now_us - start_us == price_us, args[0]


def test_what_the_port_refuses_is_refused():
    flash = partition(sectors=4)
    assert error_of(flash.readblocks, 3, bytearray(2), SECTOR - 1) == (-0x104, "ESP_ERR_INVALID_SIZE")
    assert error_of(flash.writeblocks, 4, bytes(1), 0) == (-0x104, "ESP_ERR_INVALID_SIZE")
    assert error_of(flash.writeblocks, 5, bytes(1), 0) == (-0x102, "ESP_ERR_INVALID_ARG")
    assert error_of(flash.writeblocks, 0, bytes(100)) == (-0x104, "ESP_ERR_INVALID_SIZE")
    assert error_of(flash.ioctl, 6, 4) == (-0x104, "ESP_ERR_INVALID_SIZE")
    assert flash.ioctl(4, 0) == 4 and flash.ioctl(5, 0) == SECTOR
    assert flash.info() == (1, 0x40, PARTITION_AT, 4 * SECTOR, "recordings", False)


def test_operations_are_counted_and_told():
    log = []
    flash = partition(flash_log=lambda *operation: log.append(operation))
    flash.writeblocks(0, bytes(300), 0)
    flash.writeblocks(0, bytes(256), 512)
    flash.ioctl(6, 2)
    counts = board.flash.regions[0].counts
    assert (counts["programs"], counts["largest_program"], counts["page_crossings"], counts["erases"]) == (2, 300, 1, 1)
    assert [operation[:4] for operation in log] == [
        ("program", "recordings", 0, 300),
        ("program", "recordings", 512, 256),
        ("erase", "recordings", 2 * SECTOR, SECTOR),
    ]


def test_a_locked_heap_is_no_obstacle():
    flash = partition()
    page, view = bytearray(256), memoryview(bytearray(512))[:256]

    def work():
        micropython.heap_lock()
        flash.writeblocks(1, page, 256)
        flash.readblocks(1, view, 256)
        micropython.heap_unlock()

    work()
    assert bytes(view) == bytes(256)


def test_a_cut_before_an_operation_leaves_all_and_one_after_it_leaves_it_whole():
    for phase, expected in (("before", b"\xff" * 256), ("after", bytes(256))):
        flash = partition(cut_at=(2, phase))
        flash.ioctl(6, 1)
        assert power_lost(flash.writeblocks, 1, bytes(256), 0)
        assert stored(SECTOR, 256) == expected


def test_a_cut_in_a_program_tears_one_slice_and_touches_no_other_page():
    torn = set()
    for seed in range(12):
        flash = torn_page(seed)
        page = read(flash, 256, 256)
        assert read(flash, 0, 256) == read(flash, 512, 256) == b"\xff" * 256
        whole = len(page) - len(page.lstrip(b"\0"))
        half = whole // 64 * 64
        assert page[half + 64 :] == b"\xff" * (192 - half)
        torn.add(half)
    assert len(torn) > 1


def test_the_torn_bits_read_as_they_like_until_they_are_programmed_again():
    rights = 0
    for seed in range(12):
        flash = torn_page(seed)
        assert len(readings(flash)) > 1
        if bytes(256) in readings(flash):  # cut so late that it may read as if nothing had happened
            rights += 1
        flash.writeblocks(1, b"\xff" * 256, 256)
        assert len(readings(flash)) > 1, "ones change nothing"
        flash.writeblocks(1, bytes(256), 256)
        assert readings(flash) == {bytes(256)}
    assert rights


def test_an_erase_heals_torn_bits():
    flash = torn_page(1)
    flash.ioctl(6, 1)
    assert readings(flash) == {b"\xff" * 256}


def test_weak_bits_look_blank_and_take_no_zero_until_the_sector_is_erased_to_its_end():
    flash = weak_sector()
    for _ in range(2):
        flash.writeblocks(1, bytes(SECTOR), 0)
        weak = read(flash, 0, SECTOR)
        assert weak != bytes(SECTOR) and weak == stored(SECTOR, SECTOR)
    flash.ioctl(6, 1)
    flash.writeblocks(1, bytes(SECTOR), 0)
    assert read(flash, 0, SECTOR) == bytes(SECTOR)


def test_what_a_cut_left_in_between_outlives_the_power_and_ends_with_its_cause():
    torn_page(1)
    assert IMAGE + ".marginal" in os.listdir()
    flash = power_cycled()
    assert len(readings(flash)) > 1
    flash.writeblocks(1, bytes(256), 256)
    assert IMAGE + ".marginal" not in os.listdir()
    weak_sector()
    flash = power_cycled()
    flash.writeblocks(1, bytes(SECTOR), 0)
    assert read(flash, 0, SECTOR) != bytes(SECTOR)


def test_another_image_of_the_same_name_has_none_of_it():
    torn_page(1)
    with open(IMAGE + ".marginal", "rb") as file:
        kept = file.read()
    make_image(IMAGE, 4)
    with open(IMAGE + ".marginal", "wb") as file:
        file.write(kept)
    assert len(readings(power_cycled())) == 1


def test_the_same_seed_tears_and_reads_the_same():
    def run(seed):
        flash = torn_page(seed)
        return [read(flash, 256, 256) for _ in range(8)]

    assert run(3) == run(3) != run(4)


def test_a_cut_in_an_erase_only_sets_bits():
    outcomes = set()
    for seed in range(12):
        flash = torn_erase(seed)
        after = read(flash, 0, 64)
        assert all([byte & 0x55 == 0x55 for byte in after])
        outcomes.add("blank" if after == b"\xff" * 64 else "old" if after == b"\x55" * 64 else "random")
    assert outcomes == {"blank", "old", "random"}


def torn_page(seed):
    """The partition after a cut in the program of zeros to page 1 of sector 1."""
    flash = partition(cut_at=(2, "mid"), seed=seed)
    flash.ioctl(6, 1)
    assert power_lost(flash.writeblocks, 1, bytes(256), 256)
    return power_cycled(seed)


def torn_erase(seed):
    """The partition after a cut in the erase of sector 1, which held 0x55."""
    flash = partition(cut_at=(3, "mid"), seed=seed)
    flash.ioctl(6, 1)
    flash.writeblocks(1, b"\x55" * SECTOR, 0)
    assert power_lost(flash.ioctl, 6, 1)
    return power_cycled(seed)


def weak_sector():
    """The partition after a cut that left sector 1 blank to the eye."""
    for seed in range(40):
        flash = torn_erase(seed)
        if board.flash.cells.weak:
            assert read(flash, 0, SECTOR) == b"\xff" * SECTOR
            return flash
    raise AssertionError("no erase was cut so")


def power_cycled(seed=0):
    board.reset(flash_path=IMAGE, seed=seed)
    (found,) = esp32.Partition.find(esp32.Partition.TYPE_DATA, label="recordings")
    return found


def read(flash, offset, size):
    """Of sector 1."""
    buf = bytearray(size)
    flash.readblocks(1, buf, offset)
    return bytes(buf)


def readings(flash):
    """What page 1 of sector 1 reads like, over and over."""
    return {read(flash, 256, 256) for _ in range(40)}


def power_lost(action, *args):
    try:
        action(*args)
    except PowerOff as end:
        return end.args == ("cut",)
    return False
