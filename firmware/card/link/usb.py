"""The carrier `usb`: a serial interface of the card's own, beside the REPL's, through machine.USBDevice."""

import asyncio
import time

from micropython import const

from wire import frame, message
from wire.sector import SECTOR_BYTES

from . import usb_descriptors
from .usb_descriptors import IN, PACKET_BYTES

_PATIENCE_MS = const(500)
_PAUSE_MS = const(1)  # between two looks for room; a sector takes the bus four times as long
_MOST_BYTES = frame.encoded_bytes(frame.MAX_TO_HOST_BYTES)  # 66 packets; the S3's controller counts to 127
_SECTOR_FRAME_BYTES = frame.OVERHEAD_BYTES + message.SECTOR_NUMBER_BYTES + SECTOR_BYTES  # before COBS, which adds some
_LEAST_SECTOR_BYTES = _SECTOR_FRAME_BYTES + 3
_MOST_SECTOR_BYTES = frame.encoded_bytes(_SECTOR_FRAME_BYTES)
_SLOTS = const(8)  # packets that may wait to be read: while none is free the host waits
_POSITIONS = const(16)  # twice as many, so that full and empty differ

_SETUP, _ACK = const(1), const(3)  # stages of a control transfer
_CLASS_OF_INTERFACE = const(0x21)  # bmRequestType without its direction
_SET_LINE_CODING, _GET_LINE_CODING, _SET_CONTROL_LINE_STATE = const(0x20), const(0x21), const(0x22)
_DTR = const(1)

# Made with the module, which main.py loads early: later the heap has no room for them in one piece.
_frames = [bytearray(_MOST_BYTES), bytearray(_MOST_BYTES)]


class Usb:
    """Reads what has arrived, hands whole frames to the controller. One reader, one writer.

    `device`: machine.USBDevice(); `name`: the card's, its USB serial number. The device's callbacks come from the
    scheduler, between any two steps of a task, and allocate nothing; nor does sending a sector. One frame is on its way
    while the next one waits: the callback that sees the first arrive sends it, so that the bus has no pause."""

    def __init__(self, device, name):
        builtin = device.BUILTIN_DEFAULT
        self._device = device
        self._interface = usb_descriptors.control_interface(builtin)
        self._out = usb_descriptors.data_endpoint(builtin)
        self._in = self._out | IN
        self._packets = memoryview(bytearray(_SLOTS * PACKET_BYTES))
        self._slots = [self._packets[at : at + PACKET_BYTES] for at in range(0, _SLOTS * PACKET_BYTES, PACKET_BYTES)]
        self._lengths = bytearray(_SLOTS)
        self._written = 0  # position of the slot that is filled next
        self._read = 0
        self._listening = False  # a transfer from the host is pending
        self._arrived = asyncio.ThreadSafeFlag()
        self._frames = _frames
        self._views = [_views(frame_bytes) for frame_bytes in _frames]
        self._current = 0  # the one that is, or was last, on its way: while it is it must stay as it is
        self._sending = False
        self._next = None  # the other one, filled
        self._writer = None  # has the frame that is to fill it
        self._begun_ms = None
        self.taken = True  # the last frame: it will be sent
        self._line_coding = bytearray(b"\x00\xc2\x01\x00\x00\x00\x08")  # 115200 8N1; means nothing here
        self.configured = False  # by a host
        self.dtr = False  # a program has the port open, as far as it says so; only noted
        self._start(builtin, name)

    def _start(self, builtin, name):
        device = self._device
        device.active(False)
        device.builtin_driver = builtin
        device.config(
            builtin.desc_dev,
            usb_descriptors.configuration(builtin),
            usb_descriptors.strings(builtin, name),
            self._on_open,
            self._on_reset,
            self._on_control,
            self._on_transfer,
        )
        device.active(True)

    def any(self):
        """Whether bytes are there."""
        return self._read != self._written

    async def read(self):
        """Wait for bytes; return those that are there."""
        while not self.any():
            await self._arrived.wait()
        return self.read_arrived()

    def read_arrived(self):
        """The bytes that are there, perhaps none."""
        data = bytearray()
        while self.any():
            slot = self._read % _SLOTS
            data.extend(self._slots[slot][: self._lengths[slot]])
            self._read = (self._read + 1) % _POSITIONS
        self._listen()
        return data

    def begin(self, writer):
        """Begin to send the frame that `writer` has finished: `go_on` does it."""
        self._writer = writer
        self._begun_ms = None

    def go_on(self):
        """Go on sending; returns the ms until the next call, or None when it is over, and `taken` tells how.

        That is False without a host, and after 500 ms of one that has not read the frame before the last. What waits
        then is sent all the same, as soon as the host reads again."""
        if self._begun_ms is None:
            self._begun_ms = time.ticks_ms()
            return 0  # the other tasks' turn
        if self._next and time.ticks_diff(time.ticks_ms(), self._begun_ms) < _PATIENCE_MS:
            return _PAUSE_MS
        self.taken = not self._next and self.configured and self._fill()
        return None

    def _fill(self):
        """Put the frame where the next one to be sent stands; returns whether it will be."""
        assert self._writer is not None
        other = 1 - self._current
        size = self._writer.encode(self._frames[other])
        self._next = self._view(other, size)
        return self._sending or self._send()

    def _view(self, index, size):
        """The first bytes of a frame's buffer: a transfer is as long as what it is given."""
        if _LEAST_SECTOR_BYTES <= size <= _MOST_SECTOR_BYTES:
            return self._views[index][size - _LEAST_SECTOR_BYTES]
        return memoryview(self._frames[index])[:size]

    def _send(self):
        """Send the frame that waits; returns whether there is one that can be sent."""
        frame_bytes, self._next = self._next, None
        if not frame_bytes:
            return False
        self._current = 1 - self._current
        self._sending = True  # first: its end may come before the next line
        if self._submit(self._in, frame_bytes):
            return True
        self._sending = False
        return False

    def _listen(self):
        """Let the host send the next packet, if there is room for it."""
        if self.configured and not self._listening and (self._written - self._read) % _POSITIONS < _SLOTS:
            self._listening = True
            if not self._submit(self._out, self._slots[self._written % _SLOTS]):
                self._listening = False

    def _submit(self, endpoint, buffer):
        try:
            return self._device.submit_xfer(endpoint, buffer)
        except OSError:  # deactivated, or reset and opened again in between
            return False

    def _on_open(self, _descriptor):
        """The host has configured the card."""
        self.configured = True
        self._listen()

    def _on_reset(self):
        """The bus was reset: what was pending never completes."""
        self.configured = self._listening = self._sending = self.dtr = False
        self._next = None

    def _on_transfer(self, endpoint, result, size):
        if endpoint == self._out:
            if result == 0:
                self._lengths[self._written % _SLOTS] = size
                self._written = (self._written + 1) % _POSITIONS
            self._listening = False
            self._listen()
            self._arrived.set()
        elif endpoint == self._in:
            # The host's read ends with a short packet: after full ones alone with an empty one, which is not sent by itself.
            if result or size == 0 or size % PACKET_BYTES or not self._submit(self._in, b""):
                self._sending = False
                self._send()

    def _on_control(self, stage, request):
        """Returns whether to go on, or the buffer that is sent or filled; see USBDevice.config."""
        if request[0] & ~IN != _CLASS_OF_INTERFACE or request[4] != self._interface:
            return False
        code = request[1]
        if stage == _SETUP:
            if code == _SET_LINE_CODING or code == _GET_LINE_CODING:
                return self._line_coding
            return code == _SET_CONTROL_LINE_STATE
        if stage == _ACK and code == _SET_CONTROL_LINE_STATE:
            self.dtr = bool(request[2] & _DTR)
        return True


def _views(frame_bytes):
    """The first bytes of a buffer, as many as any sector's frame has: one is not made for each."""
    whole = memoryview(frame_bytes)
    return [whole[:size] for size in range(_LEAST_SECTOR_BYTES, _MOST_SECTOR_BYTES + 1)]
