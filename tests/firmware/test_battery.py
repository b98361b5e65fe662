"""What a voltage says of a battery: its charge, how long that lasts, when it is about to end, and when it is nonsense."""

import time

from card.battery import LOW_MV, Battery, percent_of
from card.log import Log
from emulator import board


class Cell:
    """A battery that reads as it is told, and now and then far off, as converters do."""

    def __init__(self, mv):
        self.mv = mv
        self._reads = 0

    def read(self):
        self._reads += 1
        return self.mv + (900 if self._reads % 16 == 5 else -700 if self._reads % 16 == 9 else self._reads % 3 - 1)


def battery(mv):
    board.reset()
    cell = Cell(mv)
    return cell, Battery(cell.read, Log())


def test_the_charge_falls_with_the_voltage_from_full_to_empty():
    told = [percent_of(mv) for mv in range(4300, 3200, -1)]
    assert told[0] == 100 and told[-1] == 0
    assert all(told[n] >= told[n + 1] for n in range(len(told) - 1))
    assert max(told[n] - told[n + 1] for n in range(len(told) - 1)) <= 1


def test_single_readings_that_are_far_off_count_for_nothing():
    _, found = battery(3870)
    found.measure(False)
    assert abs(found.mv - 3870) <= 1 and found.percent == 60 and not found.low


def test_it_is_low_when_it_was_so_twice_and_until_it_has_recovered():
    cell, found = battery(LOW_MV - 10)
    found.measure(False)
    assert not found.low, "a dip"
    found.measure(False)
    assert found.low
    cell.mv = LOW_MV + 50
    found.measure(False)
    assert found.low, "the load is gone, the charge is not back"
    found.measure(True)
    assert not found.low, "it charges"


def test_hours_left_follow_from_the_drain_that_was_measured():
    cell, found = battery(4110)  # 90 percent
    for percent in range(90, 79, -1):
        cell.mv = 4020 + 9 * (percent - 80)
        found.measure(False)
        time.sleep(360)  # ten percent an hour
    assert found.percent == 80 and found.hours_left == 8
    found.measure(True)
    assert found.hours_left is None, "on the cable nothing drains"


def test_what_no_cell_can_have_is_none_and_told_once():
    for mv in (5200, 1500):
        board.reset()
        cell, log = Cell(mv), Log()
        found = Battery(cell.read, log)
        for _ in range(3):
            found.measure(False)
        assert found.mv is None and found.percent is None and not found.low
        assert len([line for line in log.lines if "makes no sense" in line]) == 1


def test_a_pin_with_nothing_on_it_is_no_battery():
    board.reset()
    found = Battery(lambda: 0, Log())
    found.measure(False)
    assert found.mv is None and found.percent is None and not found.low
