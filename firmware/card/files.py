"""The files that the card keeps for itself on `vfs`: in a folder of their own, replaced in one step.

Each replacement lengthens the log of its folder, through which every path that begins there is looked up: in the root that would
make each start slower than the one before."""

import os

FOLDER = "/data"


def prepare(root=""):
    """Make the folder if there is none; returns its path. What cannot be made is noticed by who writes there."""
    path = root + FOLDER
    try:
        os.mkdir(path)
    except OSError:
        pass
    return path


def replace(path, text):
    """Write a file so that a cut leaves the old one or the new one. Raises OSError when it cannot be written."""
    with open(path + ".new", "w") as file:
        file.write(text)
    os.rename(path + ".new", path)
