"""Formatting: everything is erased under a new name, and a power cut in between is taken up again."""

import os

from card.errors import FlashFault
from card.store import format
from emulator import board
from emulator.world import PowerOff
from prepared import CARD, make_image, power_on
from test_store import IMAGE, record
from wire import sector


def formatted(partition, name):
    return list(format.erase_all(partition, name, os.getcwd()))


def test_a_format_erases_everything_and_takes_a_new_name():
    make_image(IMAGE, 16)
    log, partition = power_on(IMAGE)
    record(log, 40)
    format.begin(partition, "newone", os.getcwd())
    assert format.interrupted(os.getcwd()) == "newone"
    assert formatted(partition, "newone") == list(range(1, 17))
    assert format.interrupted(os.getcwd()) is None
    log, _ = power_on(IMAGE)
    assert (log.card, log.recordings, log.clean_sectors) == ("newone", [], 16)
    record(log, 3)


def test_a_format_that_is_cut_anywhere_is_taken_up_again():
    make_image(IMAGE, 8)
    log, _ = power_on(IMAGE)
    record(log, 1)
    operation = 0
    while True:
        operation += 1
        _, partition = power_on(IMAGE, cut_at=(operation, "mid"), seed=operation)
        try:
            format.begin(partition, "newone", os.getcwd())
            formatted(partition, "newone")
            break
        except PowerOff:
            assert format.interrupted(os.getcwd()) == "newone"
            board.reset(flash_path=IMAGE)
            formatted(partition, "newone")
            log, _ = power_on(IMAGE)
            assert (log.card, log.recordings, log.clean_sectors) == ("newone", [], 8)
            record(log, 1)
    assert operation > 20


def test_flash_that_does_not_bear_repeated_programs_is_refused():
    make_image(IMAGE, 4)
    _, partition = power_on(IMAGE)

    class Ecc:
        """A second program into a page spoils what stands there."""

        def __getattr__(self, name):
            return getattr(partition, name)

        def writeblocks(self, number, data, offset=None):
            partition.writeblocks(number, bytes(1), offset // 256 * 256 + 20)
            partition.writeblocks(number, data, offset)

    try:
        format.begin(Ecc(), "newone", os.getcwd())
        raise AssertionError("accepted")
    except FlashFault:
        assert format.interrupted(os.getcwd()) is None


def test_sectors_go_on_counting_their_erases():
    make_image(IMAGE, 4)
    _, partition = power_on(IMAGE)
    for name in ("a", "b"):
        format.begin(partition, name, os.getcwd())
        formatted(partition, name)
    head = bytearray(64)
    partition.readblocks(3, head, 0)
    assert sector.read_marker(head).erases == 2 and CARD != "b"
