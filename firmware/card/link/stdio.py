"""The carrier `stdio`: the byte streams of the REPL's connection."""

import asyncio
import select

from micropython import const

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

    async def read(self):
        """Wait for bytes; return those that are there (a read of more would block)."""
        data = bytearray(await self._stream.read(1))
        data.extend(self.read_arrived())
        return data

    def read_arrived(self):
        """The bytes that are there, perhaps none."""
        data = bytearray()
        while len(data) < _MOST_AT_ONCE and self._poll.poll(0):
            data.extend(self._stdin.read(1))
        return data

    async def write(self, data):
        """Whether all of it was taken; False means that the host does not read."""
        for start in range(0, len(data), _CHUNK_BYTES):
            chunk = data[start : start + _CHUNK_BYTES]
            if self._stdout.write(chunk) != len(chunk):
                return False
            await asyncio.sleep_ms(0)
        return True
