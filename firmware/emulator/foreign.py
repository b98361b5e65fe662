"""Machine code of the chip in a card's file system: this machine cannot run it, and reads the module's source in its place.

All else is the image's own. The compiled file is read too, so that its time passes."""

import vfs

_ENOENT = 2
_PIECE_BYTES = 512


def stand_in(modules, folder):
    """A module `vfs` whose littlefs shows for each of `modules` (paths without an ending) its source in the host's `folder`."""
    return _Vfs({module.lstrip("/") + ".py": module.lstrip("/") + ".mpy" for module in modules}, vfs.VfsPosix(folder))


class _Vfs:
    def __init__(self, compiled, host):
        self._compiled = compiled  # by the path of the source
        self._host = host

    def __getattr__(self, name):
        return getattr(vfs, name)

    def mount(self, file_system, path, **options):
        vfs.mount(_FileSystem(file_system, self._compiled, self._host), path, **options)


def _on_host(name):
    """A module of either slot has its source in the one folder."""
    return name[1:] if name.startswith("b/") else "/" + name


class _FileSystem:
    def __init__(self, card, compiled, host):
        self._card = card
        self._compiled = compiled
        self._host = host
        self._buffer = bytearray(_PIECE_BYTES)

    def __getattr__(self, name):
        return getattr(self._card, name)

    def stat(self, path):
        name = path.lstrip("/")
        if name in self._compiled:
            self._card.stat(self._compiled[name])
            return self._host.stat(_on_host(name))
        if name in self._compiled.values():
            raise OSError(_ENOENT)
        return self._card.stat(path)

    def open(self, path, mode):
        name = path.lstrip("/")
        if name not in self._compiled:
            return self._card.open(path, mode)
        with self._card.open(self._compiled[name], "rb") as file:
            while file.readinto(self._buffer):
                pass
        return self._host.open(_on_host(name), mode)
