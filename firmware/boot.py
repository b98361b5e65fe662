"""Mounts the file system for quick starts, and returns: USB comes up between this file and main.py.

MicroPython itself mounts it with reads of 32 bytes and a cache of 128. Every import looks its module up through whole
directories, one read of the flash after the other; larger ones halve the time from the wake-up to the first sample.
Modification times nobody needs."""

import os

import vfs
from esp32 import Partition

_READ_BYTES = 128  # the cache is four times that


def mount(partition):
    try:
        vfs.mount(vfs.VfsLfs2(partition, readsize=_READ_BYTES, progsize=32, lookahead=32, mtime=False), "/")  # type: ignore[abstract]
    except OSError:
        vfs.mount(partition, "/")  # as it was
    os.chdir("/")


found = Partition.find(Partition.TYPE_DATA, label="vfs")
if found:
    vfs.umount("/")
    mount(found[0])
