"""select.poll in the emulated world: waiting lets its time pass."""

from uselect import POLLERR, POLLHUP, POLLIN, POLLOUT  # noqa: F401

from emulator import board

_POLL = 3  # the stream request
_EINVAL, _ENOENT = 22, 2


class poll:  # noqa: N801
    """Polls objects with a method `ioctl`, in the order of their registration."""

    def __init__(self):
        self._streams = []  # [stream, flags]
        self._found = ()
        self._ready = self._look  # bound once: polling without a result allocates nothing

    def register(self, stream, flags=POLLIN | POLLOUT):
        if not hasattr(stream, "ioctl"):
            raise OSError(_EINVAL)
        entry = self._find(stream)
        if entry:
            entry[1] |= flags
        else:
            self._streams.append([stream, flags])

    def unregister(self, stream):
        entry = self._find(stream)
        if entry:
            self._streams.remove(entry)

    def modify(self, stream, flags):
        entry = self._find(stream)
        if not entry:
            raise OSError(_ENOENT)
        entry[1] = flags

    def poll(self, timeout_ms=-1):
        """(stream, flags) of those that are ready; none after `timeout_ms` (below zero: never)."""
        world = board.world
        world.wait(None if timeout_ms < 0 else world.now_us + timeout_ms * 1000, self._ready)
        return self._found

    def ipoll(self, timeout_ms=-1, flags=0):
        return self.poll(timeout_ms)

    def _look(self):
        self._found = ()
        for entry in self._streams:
            true = entry[0].ioctl(_POLL, entry[1])
            if true:
                self._found += ((entry[0], true),)
        return self._found

    def _find(self, stream):
        for entry in self._streams:
            if entry[0] is stream:
                return entry
        return None
