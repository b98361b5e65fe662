"""An update of the application: the slot that does not run is filled file by file, proved, and put on trial.

Nothing that runs is touched, and nothing is switched before every file reads as the manifest says."""

import asyncio
import os
from binascii import a2b_base64
from hashlib import sha256

from micropython import const

import slots
from card.errors import Refused
from wire import message

from . import files
from .fields import hexadecimal, whole
from .files import MANIFEST

_STEPS = ("clear", "open", "put", "copy", "switch")
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789_./"
_FOLDERS = ("/card/", "/wire/", "/lib/")
_MOST_PATH = const(64)
_MOST_FILE_BYTES = const(1 << 20)
_PIECE_BYTES = const(256)
_FILLER = "/filler"
_FILLER_BYTES = const(120)  # so small a file stands in the log itself
_LOG_BYTES = const(4096)  # a block of the file system
_ENOSPC = const(28)
_IS_FOLDER = const(0x4000)


class Update:
    """`root`: where `vfs` is mounted. Every step may be asked again."""

    def __init__(self, root):
        self._source = root + slots.ROOTS[slots.running]
        self._target = root + slots.ROOTS[slots.other()]
        self._root = root
        self._file = None  # that is being put
        self._bytes = 0

    async def step(self, fields):
        """Do what `step` names; returns the answer. Raises Refused, ValueError or OSError."""
        step = fields["step"]
        if step not in _STEPS:
            raise ValueError("step")
        try:
            return await getattr(self, "_" + step)(fields)
        except OSError as error:
            if error.errno != _ENOSPC:
                raise
            raise Refused(message.FULL, "the card's file system has no room for a second application") from None

    def close(self):
        """Finish the file that is being put: left to the collector it would be written whenever that comes by."""
        file, self._file = self._file, None
        if file:
            file.close()

    async def _clear(self, fields):
        """Empty the slot. It may have been switched to already: that is taken back first.

        Its folders stay: to make or remove one changes the folder above, and a cut in the root's log would be everybody's."""
        self.close()
        slots.stay()
        for folder in ("/card", "/wire", "/lib") if self._target == self._root else ("",):
            await _make_firm(self._target + folder)
        _remove(self._target + MANIFEST)
        for path in files.of_slot(self._target):
            _remove(self._target + path)
            await asyncio.sleep_ms(0)
        return {"clear": True}

    async def _open(self, fields):
        self.close()
        path = _path(fields)
        self._make_folders(path)
        self._file = open(self._target + path, "wb")
        self._bytes = 0
        return {"at": 0}

    async def _put(self, fields):
        """Add to the file that was opened; what it has already is not added twice."""
        data = a2b_base64(fields["data"])
        at = whole(fields, "at", 0, _MOST_FILE_BYTES)
        if self._file is None or at not in (self._bytes, self._bytes - len(data)):
            raise ValueError("at")
        if at == self._bytes:
            self._file.write(data)
            self._bytes += len(data)
        return {"at": self._bytes}

    async def _copy(self, fields):
        """Take a file over from the slot that runs."""
        self.close()
        path = _path(fields)
        self._make_folders(path)
        buffer, size = memoryview(bytearray(_PIECE_BYTES)), 0
        with open(self._source + path, "rb") as source, open(self._target + path, "wb") as target:
            while count := source.readinto(buffer):
                target.write(buffer[:count])
                size += count
        return {"bytes": size}

    async def _switch(self, fields):
        """Prove every file of the slot against its manifest, then let the next start try it."""
        self.close()
        proof = hexadecimal(fields, "manifest", 32)
        digest, last, count = sha256(), "", 0
        try:
            with open(self._target + MANIFEST, "rb") as file:
                for line in file:
                    digest.update(line)
                    path = self._prove(line)
                    if path <= last:
                        raise Refused(message.DIGEST, "the manifest of the update is not in the order of its paths")
                    last = path
                    count += 1
                    await asyncio.sleep_ms(0)
        except OSError:
            raise Refused(message.DIGEST, "a file of the update is missing") from None
        if digest.digest() != proof or count != sum([1 for _ in files.of_slot(self._target)]):
            raise Refused(message.DIGEST, "the files of the update are not those of its manifest")
        slots.try_other()
        return {"switch": True}

    def _prove(self, line):
        """A file as its line of the manifest has it: SHA-256, bytes, path. Returns the path."""
        sha, size, path = line.decode().split()
        found = files.described(self._target, path)
        if found["sha256"] != sha or found["bytes"] != int(size):
            raise Refused(message.DIGEST, "a file of the update is not as it was sent: " + path)
        return path

    def _make_folders(self, path):
        names = (self._target + path).split("/")
        for count in range(2, len(names)):
            try:
                os.mkdir("/".join(names[:count]))
            except OSError:
                pass  # it is there; if not, the file cannot be opened


def _path(fields):
    """A path within a slot, from its root."""
    path = fields["path"]
    if len(path) > _MOST_PATH or not path.startswith(_FOLDERS) or "//" in path or "/." in path or path[-1] == "/":
        raise ValueError("path")
    for letter in path:
        if letter not in _LETTERS:
            raise ValueError("path")
    return path


async def _make_firm(folder):
    """Let the file system write the logs of a folder, and of those in it, anew: an update that was cut may have left bits in
    between in them. It does so when a log is full, which these writes of a file see to, however they go."""
    path, content = folder + _FILLER, bytes(_FILLER_BYTES)
    for _ in range(_LOG_BYTES // _FILLER_BYTES + 2):
        try:
            with open(path, "wb") as file:
                file.write(content)
        except OSError:
            pass
        await asyncio.sleep_ms(0)
    _remove(path)
    try:
        folders = [entry[0] for entry in os.ilistdir(folder) if entry[1] == _IS_FOLDER]
    except OSError:
        return
    for name in folders:
        await _make_firm(folder + "/" + name)


def _remove(path):
    try:
        os.remove(path)
    except OSError:
        pass  # it is not there; if it is, what is proved in the end will tell
