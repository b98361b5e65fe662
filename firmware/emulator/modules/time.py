"""time on the emulated clock: ticks of 30 bits, epoch 2000."""

import sys

from emulator import board, chip, tasks
from emulator.chip import TICKS_PERIOD, ticks_add, ticks_diff, ticks_ms, ticks_us  # noqa: F401

# asyncio imports this module first. A file on sys.path cannot take the place of the built-in `_asyncio`.
sys.modules["_asyncio"] = tasks


def ticks_cpu():
    return ticks_us() * 240 & TICKS_PERIOD - 1


def sleep(seconds):
    _sleep(int(seconds * 1_000_000))


def sleep_ms(ms):
    _sleep(ms * 1000)


def sleep_us(us):
    _sleep(us)


def _sleep(us):
    board.world.wait(board.world.now_us + max(us, 0))


def time():
    return chip.wall_us() // 1_000_000


def time_ns():
    return chip.wall_us() * 1000


def gmtime(seconds=None):
    return chip.civil(time() if seconds is None else int(seconds))


localtime = gmtime


def mktime(date):
    return chip.seconds_of(*date[:6])
