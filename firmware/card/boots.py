"""The card's starts, noted on `vfs`: the boot number's hint, and how many starts in a row have not come up.

A start has come up when the application has run for a while, or begins a recording. The file holds both numbers; an old one only
the first."""

import os

from micropython import const

from card import files

NAME = "/boots"
SAFE_MODE_NAME = "/safemode"  # a note that the next start shall be one in safe mode
MOST_FAILED = const(3)  # in a row; then the card starts in safe mode
_MOST_BYTES = const(32)
_HIGHEST = const(0x3FFFFFFF)


def read(folder):
    """(last boot number noted, starts that have not come up), or zeros. Losing it loses nothing: every recording carries its own."""
    try:
        with open(folder + NAME) as file:
            numbers = [int(word) for word in file.read(_MOST_BYTES).split()]
    except (OSError, ValueError):
        return 0, 0
    boot, failed = (numbers + [0, 0])[:2]
    return min(max(0, boot), _HIGHEST), min(max(0, failed), MOST_FAILED)


def write(boot, failed, folder):
    """What cannot be written is done without."""
    try:
        files.replace(folder + NAME, "%d %d" % (boot, failed))
    except (OSError, MemoryError):
        pass


def begin(root="", counted=True):
    """Note a start, which counts as failed until it has come up. Returns whether it shall be one in safe mode.

    `counted`: unless somebody else counts it, see ../slots.py. A start in safe mode takes one failed start back, so that the next one
    tries the application once more. One that the owner has
    asked for is no failed start."""
    folder = files.prepare(root)
    boot, failed = read(folder)
    if failed >= MOST_FAILED and counted:
        write(boot + 1, failed - 1, folder)
        return True
    asked = _take_note(folder + SAFE_MODE_NAME)
    write(boot + 1, failed if asked or not counted else failed + 1, folder)
    return asked


def ask_for_safe_mode(folder):
    """Let the next start be one in safe mode. Raises OSError. A cut leaves the note, or does not."""
    open(folder + SAFE_MODE_NAME, "w").close()


def _take_note(path):
    """Whether it was there; one that cannot be taken away counts for nothing, else every start would find it."""
    try:
        os.remove(path)
        return True
    except OSError:
        return False
