"""The carrier `stdio`: the byte streams of the REPL's connection."""

import asyncio
import select

from micropython import const

from wire import frame

_CHUNK_BYTES = const(256)  # a blocking write of this size takes 21 ms on a board that copies it to its UART
_MOST_AT_ONCE = const(260)  # the input ring


class Stdio:
    """Reads what has arrived, writes in chunks between which other tasks run. One reader, one writer."""

    def __init__(self, stdin, stdout):
        self._stdin = stdin
        self._stdout = stdout
        self._stream = asyncio.StreamReader(stdin)
        self._poll = select.poll()
        self._poll.register(stdin, select.POLLIN)
        self._frame = bytearray(frame.encoded_bytes(frame.MAX_TO_HOST_BYTES))
        self._frame_bytes = 0
        self._written = 0  # of them
        self.taken = True  # what was written

    def any(self):
        """Whether bytes are there."""
        for _ in self._poll.ipoll(0):
            return True
        return False

    async def read(self):
        """Wait for bytes; return those that are there (a read of more would block)."""
        data = bytearray(await self._stream.read(1))
        data.extend(self.read_arrived())
        return data

    def read_arrived(self):
        """The bytes that are there, perhaps none."""
        data = bytearray()
        while len(data) < _MOST_AT_ONCE and self.any():
            data.extend(self._stdin.read(1))
        return data

    def begin(self, writer):
        """Begin to send the frame that `writer` has finished: `go_on` does it."""
        self._frame_bytes = writer.encode(self._frame)
        self._written = 0
        self.taken = True

    def go_on(self):
        """Write a piece; returns the ms until the next call, or None when it is over: `taken` is False if the host does not read."""
        size = min(_CHUNK_BYTES, self._frame_bytes - self._written)
        if not size or not self.taken:
            return None
        self.taken = self._stdout.write(self._frame, self._written, size) == size
        self._written += size
        return 0
