"""The application's own files, for a host that compares them with a release."""

import os
from binascii import hexlify
from hashlib import sha256

from micropython import const

_FOLDERS = ("card", "wire", "lib")
_PIECE_BYTES = const(512)
_IS_FOLDER = const(0x4000)


def paths(root):
    """Of every file of the application, below `root`; always in the same order."""
    found = ["/" + name for name in ("boot.py", "main.py") if name in os.listdir(root or "/")]
    for folder in _FOLDERS:
        _gather(root, "/" + folder, found)
    return found


def _gather(root, folder, found):
    try:
        names = sorted([(entry[0], entry[1]) for entry in os.ilistdir(root + folder)])
    except OSError:
        return
    for name, kind in names:
        path = folder + "/" + name
        if kind == _IS_FOLDER:
            _gather(root, path, found)
        else:
            found.append(path)


def described(root, path):
    """Path, bytes and SHA-256 of a file. Raises OSError if it cannot be read."""
    digest, size, buffer = sha256(), 0, bytearray(_PIECE_BYTES)
    view = memoryview(buffer)
    with open(root + path, "rb") as file:
        while True:
            count = file.readinto(buffer)
            if not count:
                break
            digest.update(view[:count])
            size += count
    return {"path": path, "bytes": size, "sha256": hexlify(digest.digest()).decode()}
