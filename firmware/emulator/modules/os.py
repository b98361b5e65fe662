"""os with the run's own randomness."""

from uos import *  # noqa: F403

from emulator import board


def urandom(size):
    return board.entropy.bytes(size)
