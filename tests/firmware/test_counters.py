"""The flight recorder's counters and the count of starts survive restarts, and nothing in their files keeps the card from starting."""

import json
import os

from card import board as card_board
from card import boots, counters
from card.app import Card
from card.counters import Counters
from card.log import Log
from emulator import board
from prepared import make_image, power_on
from test_store import IMAGE
from wire import block

board.reset()


def write(name, content):
    with open(name[1:], "wb") as file:
        file.write(content)


def loaded():
    log = Log()
    return Counters(log, os.getcwd()), log.lines


def forget():
    for name in (counters.NAME, boots.NAME):
        try:
            os.remove(name[1:])
        except OSError:
            pass


def test_what_was_counted_is_there_after_a_restart():
    forget()
    first, lines = loaded()
    assert lines == []
    first.add_boot("watchdog")
    first.add(counters.FAILED_STARTS, 3)
    first.highest(counters.LONGEST_STALL_US, 900)
    first.lowest(counters.LOWEST_BATTERY_MV, 3700)
    first.save()
    again, _ = loaded()
    assert again.values == first.values and again.values["boots"]["watchdog"] == 1
    again.highest(counters.LONGEST_STALL_US, 800)
    again.lowest(counters.LOWEST_BATTERY_MV, 3900)
    assert again.values == first.values
    again.lowest(counters.LOWEST_BATTERY_MV, 3500)
    assert again.values[counters.LOWEST_BATTERY_MV] == 3500


def test_totals_since_the_start_are_added_up_over_the_starts():
    forget()
    first, _ = loaded()
    for total in (0, 5, 5, 12):
        first.follow(counters.ERASES, total)
    first.save()
    again, _ = loaded()
    for total in (3, 4, 1):  # the last is that of a store that was opened anew
        again.follow(counters.ERASES, total)
    assert again.values[counters.ERASES] == 12 + 4 + 1


def test_nothing_is_written_when_nothing_has_changed():
    forget()
    same, _ = loaded()
    same.save()
    assert counters.NAME[1:] not in os.listdir()
    same.add_boot("power")
    same.save()
    os.remove(counters.NAME[1:])
    same.save()
    assert counters.NAME[1:] not in os.listdir()


def test_a_file_that_makes_no_sense_means_zeros_and_a_line_in_the_log():
    forget()
    zeros = loaded()[0].values
    huge = json.dumps({"boots": {}, "erases": 1 << 200}).encode()
    for content in (
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"boots": 3}',
        b'{"boots": {}, "erases": -1}',
        b"[" * 50_000,
        huge,
    ):
        write(counters.NAME, content)
        got, lines = loaded()
        assert got.values == zeros and len(lines) == 1, content[:30]
    write(counters.NAME, b'{"boots": {"power": 7}, "erases": 5, "unheard": 1}')
    got, lines = loaded()
    assert got.values["boots"]["power"] == 7 and got.values[counters.ERASES] == 5 and lines == []


def test_a_counter_that_cannot_be_saved_is_told_in_the_log():
    log = Log()
    lost = Counters(log, "/nowhere")
    lost.add_boot("power")
    lost.save()
    assert len(log.lines) == 1


def test_three_starts_that_did_not_come_up_lead_to_safe_mode_and_one_more_try_at_each_start():
    forget()
    folder = os.getcwd() + "/data"
    boots.begin(os.getcwd())
    boots.write(10, 0, folder)
    begun = [boots.begin(os.getcwd()) for _ in range(8)]
    assert begun == [False, False, False, True, False, True, False, True]
    assert boots.read(folder) == (18, 2)
    boots.write(18, 0, folder)
    assert [boots.begin(os.getcwd()) for _ in range(4)] == [False, False, False, True]


def test_a_file_of_starts_that_makes_no_sense_means_zeros():
    for content, numbers in (
        (b"12", (12, 0)),
        (b"12 2", (12, 2)),
        (b"", (0, 0)),
        (b"x", (0, 0)),
        (b"\xff\xff", (0, 0)),
        (b"-3 -1", (0, 0)),
        (b"9" * 4000, (0x3FFFFFFF, 0)),
        (b"5 99 7", (5, 3)),
    ):
        write(boots.NAME, content)
        assert boots.read(os.getcwd()) == numbers
    assert boots.read("/nowhere") == (0, 0)


def test_the_board_tells_why_it_started_and_what_its_battery_has():
    told = []
    for cause in (1, 2, 3, 4, 5):
        board.reset(cause=cause)
        told.append(card_board.reset_cause())
    assert set(told) == set(counters.CAUSES)
    for battery_mv, measured_mv in ((3712, 3712), (0, 0), (300, 0)):
        board.reset(battery_millivolts=battery_mv)
        assert card_board.battery_mv() == measured_mv


def test_after_a_restart_that_ended_a_recording_the_screen_says_so():
    for cause, notice in (
        (3, ("card restarted", "press REC again")),
        (2, ("card restarted", "press REC again")),
        (1, None),
    ):
        make_image(IMAGE, 16)
        store, _ = power_on(IMAGE)
        store.begin().append(block.pack_block(block.HEAD, 0, bytes(60)))
        board.reset(flash_path=IMAGE, cause=cause)
        card = Card(os.getcwd())
        assert card.notice == notice and card.store.closed_recordings == 1
