"""The boot number's hint on `vfs`: a card that never recorded still counts its starts."""

import os

PATH = "/boots"


def read(path=PATH):
    """The last boot number noted, or 0. Losing it loses nothing: every recording carries its own."""
    try:
        with open(path) as file:
            return int(file.read())
    except (OSError, ValueError):
        return 0


def write(boot, path=PATH):
    try:
        with open(path + ".new", "w") as file:
            file.write(str(boot))
        os.rename(path + ".new", path)
    except OSError:
        pass
