"""The application's own files, for a host that compares them with a release, one at a time: there is no room for a list."""

import os
from binascii import hexlify
from hashlib import sha256

from micropython import const

import slots

MANIFEST = "/card/manifest"  # of a slot that an update has filled: no file of the application
_STARTING = ("boot.py", "main.py", "slots.py", "slots.mpy", "slots_log.py", "slots_log.mpy")
_FOLDERS = ("/card", "/wire", "/lib")
_PIECE_BYTES = const(256)
_IS_FOLDER = const(0x4000)


def lines(root, first, count):
    """(files of the application that runs, what there is to say of `count` of them from the index `first` on)."""
    total, told = 0, []
    for folder, path in of_card(root):
        if first <= total < first + count:
            told.append(described(folder, path))
        total += 1
    return total, told


def of_card(root):
    """Every file of the application that runs, always in the same order: (folder of its slot, path within that)."""
    there = os.listdir(root or "/")
    for name in _STARTING:
        if name in there:
            yield root, "/" + name
    slot = root + slots.ROOTS[slots.running]
    for path in of_slot(slot):
        yield slot, path


def of_slot(slot):
    """The path of every file of the application in the folder `slot`, from there."""
    for folder in _FOLDERS:
        yield from _below(slot, folder)


def _below(slot, folder):
    try:
        entries = sorted([(entry[0], entry[1]) for entry in os.ilistdir(slot + folder)])
    except OSError:
        return
    for name, kind in entries:
        path = folder + "/" + name
        if kind == _IS_FOLDER:
            yield from _below(slot, path)
        elif path != MANIFEST:
            yield path


def described(root, path):
    """Path, bytes and SHA-256 of a file. Raises OSError if it cannot be read."""
    digest, size, buffer = sha256(), 0, bytearray(_PIECE_BYTES)
    view = memoryview(buffer)
    with open(root + path, "rb") as file:
        while count := file.readinto(buffer):
            digest.update(view[:count])
            size += count
    return {"path": path, "bytes": size, "sha256": hexlify(digest.digest()).decode()}
