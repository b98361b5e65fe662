"""Which application starts: the log of the partition `slots`, across starts, moves, cuts and cells that do not hold."""

import struct

import slots
from emulator import board
from emulator.world import PowerOff
from prepared import content, put_back
from slots_log import Log

IMAGE = "slots.img"
AT, SECTOR = 0x10000, 4096
CELLS = 256


def make():
    entry = struct.pack("<HBBII16sI", 0x50AA, 1, 0x41, AT, 2 * SECTOR, b"slots", 0)
    put_back(IMAGE, b"\xff" * 0x8000 + entry + b"\xff" * (AT - 0x8000 - len(entry) + 2 * SECTOR))


def start(**options):
    """(slot, whether on trial) of another start."""
    board.reset(flash_path=IMAGE, **options)
    on_trial = slots.begin()
    assert on_trial == slots.on_trial
    return slots.running, on_trial


def update():
    slots.stay()
    slots.try_other()


def test_without_a_note_or_a_partition_the_first_slot_starts():
    make()
    before = content(IMAGE)
    assert start() == (0, False) and slots.available()
    slots.come_up()
    assert content(IMAGE) == before, "nothing is written as long as there is nothing to say"
    with open(IMAGE, "r+b") as file:
        file.seek(0x8000)
        file.write(b"\xff" * 32)
    assert start() == (0, False) and not slots.available()


def test_what_comes_up_stays_and_what_does_not_gives_way_after_three_starts():
    make()
    start()
    update()
    assert [start() for _ in range(2)] == [(1, True)] * 2
    slots.come_up()
    assert [start() for _ in range(5)] == [(1, False)] * 5
    update()
    assert [start() for _ in range(5)] == [(0, True)] * 3 + [(1, False)] * 2


def test_a_switch_is_taken_back_as_long_as_it_has_not_been_started():
    make()
    start()
    update()
    slots.come_up()  # that of the slot which still runs changes nothing
    slots.stay()
    assert start() == (0, False)


def test_the_log_moves_on_from_sector_to_sector():
    make()
    running = 0
    start()
    for _ in range(CELLS):
        update()
        running = 1 - running
        assert start() == (running, True)
        slots.come_up()
        assert start() == (running, False)
    assert board.flash.regions[0].counts["erases"] == 0, "each start begins to count anew"
    heads = [struct.unpack_from("<2sBBHHI", content(IMAGE), AT + SECTOR * sector) for sector in (0, 1)]
    assert [head[0] for head in heads] == [b"VS", b"VS"] and abs(heads[0][5] - heads[1][5]) == 1 and heads[0][5] > 3


def test_a_cut_at_every_operation_of_a_move_and_of_a_trial_loses_neither_slot():
    make()
    start()
    while True:
        before = content(IMAGE)
        update()
        if content(IMAGE)[AT : AT + SECTOR] != before[AT : AT + SECTOR] != b"\xff" * SECTOR:
            moved = content(IMAGE)[AT : AT + SECTOR][:16] != before[AT : AT + SECTOR][:16]
            if moved:
                break
        slots.stay()
        start()
    for phase in ("before", "mid", "after"):
        operation = 0
        while True:
            operation += 1
            put_back(IMAGE, before)
            whole = False
            try:
                assert start(cut_at=(operation, phase), seed=operation) == (0, False)
                update()
                whole = True
            except PowerOff:
                pass
            slot, on_trial = start(seed=operation + 100)
            assert (slot, on_trial) in ((0, False), (1, True))
            assert start(seed=operation + 200) == (slot, on_trial)
            if whole:
                break
        assert operation > 4


def test_a_cell_that_does_not_hold_is_void_and_the_next_is_taken():
    make()
    start()
    update()
    slots.stay()
    start()
    (partition,) = slots._partitions()
    log = Log(partition)
    place = AT + log._sector * SECTOR + (log._next + 1) * 16  # behind the one that is given up after a start
    with open(IMAGE, "r+b") as file:
        file.seek(place)
        file.write(b"\x00\xff\x00")
    assert start() == (0, False)
    update()
    assert start() == (1, True)


def test_nonsense_in_the_partition_starts_the_first_slot():
    for seed in range(5):
        make()
        start()
        with open(IMAGE, "r+b") as file:
            file.seek(AT)
            file.write(bytes([(place * 37 + seed * 11) & 0xFF for place in range(2 * SECTOR)]))
        assert start() == (0, False)
        update()
        assert start() == (1, True)
