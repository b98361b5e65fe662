"""The raw line: any bytes to the card, whole frames from it. Nothing is asked again and nothing is passed over."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from zlib import crc32

from cobs import cobs

from voicecard.device.port import Port
from voicecard.firmware.wire import frame, message

_HIGHEST_SEQUENCE = 254  # the counter leaves 0 and 255 to the rule about them


@dataclass(frozen=True, slots=True)
class Frame:
    kind: int
    sequence: int
    payload: bytes


class Line:
    """An open port. Raises LinkLostError when the other end is gone."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self._reader = frame.FrameReader(frame.MAX_TO_HOST_BYTES)
        self._frames: deque[Frame] = deque()
        self._sequence = 0

    @property
    def damaged_frames(self) -> int:
        """Frames from the card that came torn, too long or with a wrong CRC."""
        dropped: int = self._reader.dropped
        return dropped

    def next_sequence(self) -> int:
        self._sequence = self._sequence % _HIGHEST_SEQUENCE + 1
        return self._sequence

    def write(self, data: bytes) -> None:
        self._port.write(data)

    def frame(self, within_s: float) -> Frame | None:
        """The next whole frame, or None when none has come in time."""
        deadline = time.monotonic() + within_s
        while not self._frames:
            data = self._port.read(deadline)
            self._frames += [Frame(kind, number, bytes(payload)) for kind, number, payload in self._reader.feed(data)]
            if not self._frames and time.monotonic() >= deadline:
                return None
        return self._frames.popleft()

    def drain(self, quiet_s: float, at_most_s: float) -> None:
        """Pass over all that comes until it is quiet."""
        latest = time.monotonic() + at_most_s
        while self.frame(quiet_s) and time.monotonic() < latest:
            pass


def request(sequence: int, fields: dict[str, object]) -> bytes:
    """A request as it goes on the wire."""
    return framed(message.REQUEST, sequence, message.pack_json(fields))


def framed(kind: int, sequence: int, payload: bytes) -> bytes:
    """A frame as it goes on the wire, of any length."""
    plain = bytes((kind, sequence)) + payload
    return coded(plain + crc32(plain).to_bytes(frame.CRC_BYTES, "little"))


def coded(plain: bytes) -> bytes:
    """Bytes in COBS between zeros, whether or not they are a frame."""
    return b"\0" + bytes(cobs.encode(plain)) + b"\0"
