"""The card's starts, noted on `vfs`: the boot number's hint, and how many starts in a row have not come up.

A start has come up when the application has run for a while, or begins a recording. The file holds both numbers; an old one only
the first."""

from micropython import const

from card import files

NAME = "/boots"
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
    except OSError:
        pass


def begin(root=""):
    """Note a start, which counts as failed until it has come up. Returns whether it shall be one in safe mode.

    A start in safe mode takes one failed start back, so that the next one tries the application once more."""
    folder = files.prepare(root)
    boot, failed = read(folder)
    safe = failed >= MOST_FAILED
    write(boot + 1, failed - 1 if safe else failed + 1, folder)
    return safe
