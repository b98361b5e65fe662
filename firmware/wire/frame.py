"""Link frames: zero, COBS(type, sequence, payload, CRC-32), zero. Bytes in, frames out; no I/O. PROTOCOL.md says why."""

import struct
from binascii import crc32

FRAME_HEADER_BYTES, CRC_BYTES = 2, 4
OVERHEAD_BYTES = FRAME_HEADER_BYTES + CRC_BYTES
MAX_TO_CARD_BYTES = 240  # type, sequence, payload and CRC: the card's input ring holds 260 bytes
MAX_TO_HOST_BYTES = 4160
_RUN = 254  # longest run of a COBS group


def encoded_bytes(size):
    """The most bytes that `size` bytes can take on the wire: COBS codes and both delimiters."""
    return size + size // _RUN + 3


class FrameWriter:
    """Builds frames in buffers of its own, made once, so that sending allocates nothing.

    Put a payload into `payload` (a memoryview), then `finish` it: what is returned goes on the wire."""

    def __init__(self, max_bytes):
        self._plain = bytearray(max_bytes)
        self._wire = bytearray(encoded_bytes(max_bytes))
        self._wire_view = memoryview(self._wire)
        self.payload = memoryview(self._plain)[FRAME_HEADER_BYTES : max_bytes - CRC_BYTES]

    def finish(self, kind, sequence, payload_bytes):
        """The frame around the first `payload_bytes` of `payload`, as a memoryview valid until the next call."""
        plain = self._plain
        plain[0] = kind
        plain[1] = sequence
        end = FRAME_HEADER_BYTES + payload_bytes
        struct.pack_into("<I", plain, end, crc32(memoryview(plain)[:end]))
        wire = self._wire
        wire[0] = 0
        last = cobs_encode(plain, end + CRC_BYTES, wire, 1)
        wire[last] = 0
        return self._wire_view[: last + 1]

    def frame(self, kind, sequence, payload):
        """The frame around `payload`. Raises ValueError when that is too long."""
        if len(payload) > len(self.payload):
            raise ValueError("a frame of %d bytes is too long" % len(payload))
        self.payload[: len(payload)] = payload
        return self.finish(kind, sequence, len(payload))


class FrameReader:
    """Finds frames in a byte stream. What is too long, torn or damaged is dropped and counted in `dropped`."""

    def __init__(self, max_bytes):
        self._room = encoded_bytes(max_bytes) - 2
        self._coded = bytearray(self._room)
        self._plain = bytearray(max_bytes + 1)
        self._filled = 0
        self._too_long = False
        self.dropped = 0

    def feed(self, data):
        """Take bytes of any number; yield (type, sequence, payload) for each good frame they end.

        The payload is a memoryview into this reader's buffer: use or copy it before taking the next frame."""
        start = 0
        while start < len(data):
            zero = data.find(b"\0", start)
            if zero < 0:
                self._keep(data, start, len(data))
                return
            self._keep(data, start, zero)
            start = zero + 1
            frame = self._take()
            if frame:
                yield frame

    def _keep(self, data, start, end):
        size = end - start
        if self._filled + size > self._room:
            self._too_long = True
            return
        self._coded[self._filled : self._filled + size] = memoryview(data)[start:end]
        self._filled += size

    def _take(self):
        filled, too_long = self._filled, self._too_long
        self._filled, self._too_long = 0, False
        if not filled and not too_long:
            return None
        size = -1 if too_long else cobs_decode(self._coded, filled, self._plain)
        end = size - CRC_BYTES
        plain = memoryview(self._plain)
        if end < FRAME_HEADER_BYTES or struct.unpack_from("<I", plain, end)[0] != crc32(plain[:end]):
            self.dropped += 1
            return None
        return plain[0], plain[1], plain[FRAME_HEADER_BYTES:end]


def cobs_encode(data, size, out, at):
    """COBS-encode data[:size] into `out` from `at` on, without delimiters; returns the offset behind it.

    S. Cheshire, M. Baker: Consistent Overhead Byte Stuffing, IEEE/ACM Transactions on Networking 7(2), 1999."""
    view = memoryview(data)
    start = 0
    while True:
        zero = data.find(b"\0", start, size)
        end = size if zero < 0 else zero
        while end - start >= _RUN:
            out[at] = _RUN + 1
            out[at + 1 : at + 1 + _RUN] = view[start : start + _RUN]
            at += 1 + _RUN
            start += _RUN
            if zero < 0 and start == end:
                return at
        run = end - start
        out[at] = run + 1
        out[at + 1 : at + 1 + run] = view[start:end]
        at += 1 + run
        if zero < 0:
            return at
        start = zero + 1


def cobs_decode(data, size, out):
    """COBS-decode data[:size] into `out`; returns the number of bytes, or -1 if it is no COBS or too long for `out`."""
    view = memoryview(data)
    room = len(out)
    at = start = 0
    while start < size:
        code = data[start]
        run = code - 1
        if code == 0 or start + code > size or at + run + 1 > room:
            return -1
        out[at : at + run] = view[start + 1 : start + code]
        at += run
        start += code
        if code <= _RUN and start < size:
            out[at] = 0
            at += 1
    return at
