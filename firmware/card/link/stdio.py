"""The carrier `stdio`: the byte streams of the REPL's connection."""

import asyncio
import select
import time

from micropython import const

_PACKET_BYTES = const(64)  # of the USB interface behind it, whose buffer holds four
_CHUNK_BYTES = const(256)  # then others run; it takes 21 ms on a board that copies it to its UART
_FRAME_MS = const(30)  # of sound: capture keeps up with what takes no longer
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
        """Whether all of it was taken; False means that the host does not read.

        Zeros fill the last packet: between frames they mean nothing. The time for which a write kept the other tasks
        from running is theirs afterwards: the microphone's ring outlasts one such wait, not two."""
        began_ms = time.ticks_ms()
        for start in range(0, len(data), _PACKET_BYTES):
            packet = data[start : start + _PACKET_BYTES]
            if len(packet) < _PACKET_BYTES:
                packet = bytes(packet) + bytes(_PACKET_BYTES - len(packet))
            written = self._stdout.write(packet)
            took_ms = time.ticks_diff(time.ticks_ms(), began_ms)
            if took_ms > _FRAME_MS or start % _CHUNK_BYTES == 0:
                await asyncio.sleep_ms(took_ms if took_ms > _FRAME_MS else 0)
                began_ms = time.ticks_ms()
            if written != _PACKET_BYTES:
                return False
        return True
