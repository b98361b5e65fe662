"""Which of the two places of the application starts: the root is slot `a`, the folder /b slot `b`. Belongs to neither.

The partition `slots` is a log of cells in two sectors (slots_log.py). A file would not do: a cut may leave bits in between in a
file system's log, which then reads now so and now so."""

import gc
import sys

ROOTS = ("", "/b")
NAMES = "ab"
_IS_SMALL = gc.mem_free() + gc.mem_alloc() < 500_000  # a heap without PSRAM

running = 0  # the slot of this start, an index of ROOTS
on_trial = False  # whether it has still to come up


def begin():
    """Choose the slot of this start, and count it if that is on trial. Returns whether it is."""
    global running, on_trial
    running, on_trial = _with_log(lambda log: log.choose()) if available() else (0, False)
    return on_trial


def other():
    return 1 - running


def available():
    return bool(_partitions())


def try_other():
    """Let the next starts try the other slot. Raises OSError."""
    _with_log(lambda log: log.try_out(other()))


def stay():
    """Let the next start take the slot that runs, so that the other may be changed. Raises OSError."""
    _with_log(lambda log: log.stay(running))


def come_up():
    """The slot that runs has come up: its trial is over. Raises OSError."""
    global on_trial
    if on_trial:
        stay()
        on_trial = False


def _partitions():
    from esp32 import Partition

    return Partition.find(Partition.TYPE_DATA, label="slots")


def _with_log(use):
    """What `use` makes of the log. The memory that it takes is needed for other things."""
    from slots_log import Log

    try:
        return use(Log(_partitions()[0]))
    finally:
        if _IS_SMALL:
            sys.modules.pop("slots_log", None)
            gc.collect()
