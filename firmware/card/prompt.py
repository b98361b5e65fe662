"""The way to MicroPython's prompt: a start that begins nothing, asked for by a note on `vfs` or by the key `memo`.

The chip's watchdog cannot be stopped, so whether a start ends at the prompt is looked at before anything else. What is needed for
that is as little as can be: the prompt is there for the day on which the rest is broken."""

import os

from micropython import const

from card import board, files

NAME = "/prompt"
_KEY = "memo"
_SWITCHED_ON = "power"
_LOOKS = const(250)  # each takes 20 ms


def ask(folder):
    """Let the next start end at the prompt. Raises OSError. The note says nothing but that it is there: a cut leaves it or does not."""
    open(folder + NAME, "w").close()


def wanted(root=""):
    """Whether this start ends at the prompt. A note is taken away by that, and one that stays counts for nothing: the next
    start would find it again, and so would every other.

    The key counts when the card is switched on, and when it comes up within 5 s: one that is stuck must not keep a card from
    recording. One that restarts by itself may have its owner's finger on it: a moment was to be marked."""
    try:
        os.remove(root + files.FOLDER + NAME)
        return True
    except OSError:
        pass
    try:
        return board.reset_cause() == _SWITCHED_ON and board.is_held(_KEY) and _is_let_go()
    except Exception:  # the application will say what is wrong with the board
        return False


def _is_let_go():
    for _ in range(_LOOKS):
        if not board.is_held(_KEY):
            return True
    return False
