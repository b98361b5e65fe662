"""esp32, as far as the card needs it."""

from emulator import board
from emulator.flash import Partition  # noqa: F401
from emulator.sleep import WAKEUP_ALL_LOW, WAKEUP_ANY_HIGH  # noqa: F401


def wake_on_ext0(pin, level):
    board.sleep.wake_on_ext0(pin, level)


def wake_on_ext1(pins, level):
    board.sleep.wake_on_ext1(pins, level)
