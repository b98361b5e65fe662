"""The carrier `stdio`: the byte streams of the REPL's connection."""

import asyncio
import select
import time

from micropython import const

from wire import frame

_PACKET_BYTES = const(64)  # of the USB interface behind it, whose buffer holds four
_CHUNK_BYTES = const(256)  # then others run; it takes 21 ms on a board that copies it to its UART
_FRAME_MS = const(30)  # of sound: capture keeps up with what takes no longer
_PACKETS = (frame.encoded_bytes(frame.MAX_TO_HOST_BYTES) + _PACKET_BYTES - 1) // _PACKET_BYTES
_MOST_AT_ONCE = const(260)  # the input ring


class Stdio:
    """Reads what has arrived, writes in packets between which other tasks run. One reader, one writer.

    While a write waits for a host that does not read, nothing else runs: the driver waits 500 ms for room for the whole
    of it, and as long again for the rest when a part found room. So each is a whole packet, for which there is room or none."""

    def __init__(self, stdin, stdout):
        self._stdin = stdin
        self._stdout = stdout
        self._stream = asyncio.StreamReader(stdin)
        self._poll = select.poll()
        self._poll.register(stdin, select.POLLIN)
        self._frame = bytearray(_PACKETS * _PACKET_BYTES)
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
        """Begin to send the frame that `writer` has finished: `go_on` does it.

        Zeros fill the last packet: between frames they mean nothing."""
        size = writer.encode(self._frame)
        while size % _PACKET_BYTES:
            self._frame[size] = 0
            size += 1
        self._frame_bytes = size
        self._written = 0
        self.taken = True

    def go_on(self):
        """Write some packets; returns the ms until the next call, or None when it is over: `taken` is False if the host does not read.

        The time for which a write kept the other tasks from running is theirs afterwards: the microphone's ring outlasts one
        such wait, not two."""
        began_ms = time.ticks_ms()
        while self.taken and self._written < self._frame_bytes:
            self.taken = self._stdout.write(self._frame, self._written, _PACKET_BYTES) == _PACKET_BYTES
            self._written += _PACKET_BYTES
            took_ms = time.ticks_diff(time.ticks_ms(), began_ms)
            if took_ms > _FRAME_MS:
                return took_ms
            if self._written % _CHUNK_BYTES == 0:
                return 0
        return None
