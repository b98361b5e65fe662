"""Link frames: zero, COBS(type, sequence, payload, CRC-32), zero. Bytes in, frames out; no I/O. PROTOCOL.md says why."""

import sys

if sys.implementation.name == "micropython":
    from .cobs import cobs_decode, cobs_encode, copy
    from .crc32 import is_sealed, seal_front
else:
    from .on_host import cobs_decode, cobs_encode, copy, is_sealed, seal_front

FRAME_HEADER_BYTES, CRC_BYTES = 2, 4
OVERHEAD_BYTES = FRAME_HEADER_BYTES + CRC_BYTES
MAX_TO_CARD_BYTES = 240  # type, sequence, payload and CRC: the card's input ring holds 260 bytes
MAX_TO_HOST_BYTES = 4160
_RUN = 254  # longest run of a COBS group


def encoded_bytes(size):
    """The most bytes that `size` bytes can take on the wire: COBS codes and both delimiters."""
    return size + size // _RUN + 3


class FrameWriter:
    """Builds frames in a buffer of its own, made once, so that sending allocates nothing on the card.

    Put a payload into `payload` (a memoryview), `finish` it, and `encode` it to where it is sent from."""

    def __init__(self, max_bytes):
        self._plain = bytearray(max_bytes)
        self._plain_bytes = 0
        self.payload = memoryview(self._plain)[FRAME_HEADER_BYTES : max_bytes - CRC_BYTES]

    def finish(self, kind, sequence, payload_bytes):
        """Make a frame around the first `payload_bytes` of `payload`."""
        plain = self._plain
        plain[0] = kind
        plain[1] = sequence
        end = FRAME_HEADER_BYTES + payload_bytes
        seal_front(plain, end)
        self._plain_bytes = end + CRC_BYTES

    def encode(self, out):
        """Put the finished frame at the start of `out`, as it goes on the wire; returns its size there."""
        out[0] = 0
        last = cobs_encode(self._plain, self._plain_bytes, out, 1)
        out[last] = 0
        return last + 1

    def frame(self, kind, sequence, payload):
        """The frame around `payload`, in bytes of its own. Raises ValueError when that is too long."""
        if len(payload) > len(self.payload):
            raise ValueError("a frame of %d bytes is too long" % len(payload))
        self.payload[: len(payload)] = payload
        self.finish(kind, sequence, len(payload))
        wire = bytearray(encoded_bytes(self._plain_bytes))
        return bytes(memoryview(wire)[: self.encode(wire)])


class FrameReader:
    """Finds frames in a byte stream. What is too long, torn or damaged is dropped and counted in `dropped`."""

    def __init__(self, max_bytes):
        self._room = encoded_bytes(max_bytes) - 2
        self._coded = bytearray(self._room)
        self._plain = bytearray(max_bytes)
        self._filled = 0
        self._too_long = False
        self.frame_bytes = 0  # of the good frame that `take` has just come to the end of, without delimiters and COBS
        self.dropped = 0

    def feed(self, data):
        """Take bytes of any number; yield (type, sequence, payload) for each good frame they end.

        The payload is a memoryview into this reader's buffer: use or copy it before taking the next frame."""
        start = 0
        while start < len(data):
            start = self.take(data, start)
            if self.frame_bytes:
                yield self._plain[0], self._plain[1], self._payload()

    def take(self, data, start):
        """Take bytes from `start` on, to where a frame ends or there are no more; returns how far. Allocates nothing on the card."""
        zero = data.find(b"\0", start)
        end = len(data) if zero < 0 else zero
        size = end - start
        if self._filled + size <= self._room:
            copy(data, start, end, self._coded, self._filled)
            self._filled += size
        else:
            self._too_long = True
        self.frame_bytes = 0 if zero < 0 else self._end()
        return end if zero < 0 else end + 1

    def _end(self):
        """The size of the frame that has just ended, in `_plain`; 0 if there was none, or none that is good."""
        filled, too_long = self._filled, self._too_long
        self._filled, self._too_long = 0, False
        if not filled and not too_long:
            return 0
        size = -1 if too_long else cobs_decode(self._coded, filled, self._plain)
        if size >= OVERHEAD_BYTES and is_sealed(self._plain, size - CRC_BYTES):
            return size
        self.dropped += 1
        return 0

    def _payload(self):
        return memoryview(self._plain)[FRAME_HEADER_BYTES : self.frame_bytes - CRC_BYTES]
