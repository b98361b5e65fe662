"""The rest of the chip: ticks, calendar, clock, watchdog, restarts."""

from emulator import board, heap
from emulator.sleep import EXT0_WAKE, EXT1_WAKE, MEMORY_BYTES  # noqa: F401

EPOCH_WEEKDAY = 5  # 2000-01-01 was a Saturday; Monday is 0
TICKS_PERIOD = 1 << 30
WRAP_AFTER_US = 60_000_000  # both tick counters wrap so long after power-on
_TICKS_MASK = TICKS_PERIOD - 1
_HALF_PERIOD = TICKS_PERIOD // 2
_FIRST_MS = TICKS_PERIOD - WRAP_AFTER_US // 1000
_FIRST_US = TICKS_PERIOD - WRAP_AFTER_US

PWRON_RESET, HARD_RESET, WDT_RESET, DEEPSLEEP_RESET, SOFT_RESET = 1, 2, 3, 4, 5


def ticks_ms():
    return _ticks(1000, _FIRST_MS)


def ticks_us():
    return _ticks(1, _FIRST_US)


def _ticks(unit_us, first):
    depth = heap.release()
    ticks = (board.world.tick() // unit_us + first) & _TICKS_MASK
    heap.restore(depth)
    return ticks


def ticks_add(ticks, delta):
    if not -_HALF_PERIOD < delta < _HALF_PERIOD:
        raise OverflowError("ticks interval overflow")
    return ticks + delta & _TICKS_MASK


def ticks_diff(end, start):
    return (end - start + _HALF_PERIOD & _TICKS_MASK) - _HALF_PERIOD


def days_before(year, month, day):
    """Days from 2000-01-01 to a day of the Gregorian calendar; a year that starts in March has its leap day last."""
    year -= month < 3
    return 365 * year + year // 4 - year // 100 + year // 400 + (153 * ((month + 9) % 12) + 2) // 5 + day - 730_426


def date_of(days):
    """(year, month, day) of the day so many days after 2000-01-01."""
    year = 2000 + days // 366
    while days_before(year + 1, 1, 1) <= days:
        year += 1
    month = 12
    while days_before(year, month, 1) > days:
        month -= 1
    return year, month, days - days_before(year, month, 1) + 1


def civil(seconds):
    """(year, month, day, hour, minute, second, weekday, day of the year) of seconds since 2000."""
    days, rest = divmod(seconds, 86_400)
    year, month, day = date_of(days)
    weekday = (days + EPOCH_WEEKDAY) % 7
    return year, month, day, rest // 3600, rest // 60 % 60, rest % 60, weekday, days - days_before(year, 1, 1) + 1


def seconds_of(year, month, day, hour, minute, second):
    return days_before(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second


def wall_us():
    """Microseconds since 2000, as far as the card knows: since power-on until its clock is set."""
    return board.world.tick() + board.clock["set_us"]


class RTC:
    """machine.RTC. A date is (year, month, day, weekday (never read), hour, minute, second, microsecond)."""

    def datetime(self, date=None):
        if date is None:
            seconds, us = divmod(wall_us(), 1_000_000)
            year, month, day, hour, minute, second, weekday, _ = civil(seconds)
            return year, month, day, weekday, hour, minute, second, us
        year, month, day, _, hour, minute, second, us = date
        board.clock["set_us"] = seconds_of(year, month, day, hour, minute, second) * 1_000_000 + us - board.world.now_us
        return None

    def memory(self, data=None):
        """Bytes that last through a deep sleep, and through nothing else."""
        if data is None:
            return board.sleep.memory
        if len(data) > MEMORY_BYTES:
            raise ValueError("buffer too long")
        board.sleep.memory = bytes(data)
        return None


class WDT:
    """machine.WDT: not fed in time, the card restarts. The chip has one, which cannot be stopped: made again, it only
    gets a new time."""

    def __init__(self, id=0, timeout=5000):
        if id != 0:
            raise ValueError("WDT(%s) doesn't exist" % id)
        if timeout <= 0:
            raise ValueError("WDT timeout too short")
        board.watchdog["timeout_us"] = timeout * 1000
        self.feed()
        board.world.cancel(board.watchdog.get("event"))
        _watch()

    def feed(self):
        depth = heap.release()
        board.watchdog["deadline_us"] = board.world.now_us + board.watchdog["timeout_us"]
        heap.restore(depth)


def _watch():
    """Look when the time is up whether it has been put off meanwhile."""
    if board.world.now_us >= board.watchdog["deadline_us"]:
        board.power_off("watchdog")
    board.watchdog["event"] = board.world.at(board.watchdog["deadline_us"], _watch)


def reset():
    board.power_off("reset")


def reset_cause():
    return board.reset_cause


def deepsleep(time_ms=None):
    board.sleep.begin(time_ms)


def wake_reason():
    return board.sleep.woken_by


def freq(hz=None):
    return 240_000_000


def unique_id():
    raise NotImplementedError("no serial number of a board may get into a recording")
