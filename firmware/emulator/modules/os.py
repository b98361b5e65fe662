"""os with the run's own randomness."""

from emulator import board
from uos import *  # noqa: F403


def urandom(size):
    return board.entropy.bytes(size)
