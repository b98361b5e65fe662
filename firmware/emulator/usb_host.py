"""The host's end of the USB cable: enumeration as an operating system does it, and a program that reads and writes.

A read is posted to the controller for READ_BYTES at a time and ends with a short packet, be it empty, or when it is full:
a transfer of full packets alone is not seen by the program before more comes. Writes go out in packets of 64 bytes, the
last one short, with no empty packet after full ones, as Linux does."""

import struct

from emulator import usb_descriptors
from emulator.usb_control import Stall
from emulator.usb_descriptors import Refused
from emulator.usb_port import PACKET_BYTES

READ_BYTES = 1024
_DEVICE, _CONFIGURATION, _STRING = 1, 2, 3
_SET_ADDRESS, _GET_DESCRIPTOR, _SET_CONFIGURATION = 5, 6, 9
_SET_LINE_CODING, _GET_LINE_CODING, _SET_CONTROL_LINE_STATE = 0x20, 0x21, 0x22
_LINE_CODING = struct.pack("<IBBB", 9600, 0, 0, 8)
_OTHER_LINE_CODING = struct.pack("<IBBB", 115_200, 0, 0, 8)


class BusHost:
    """Configures what it finds. A subclass is the program: `reads`, `deliver` (a view), `writes`, `take_packet`.

    `function`: the card's SerialFunction, or None: refused or not there; `strings` {index: text}; `refusals`: why."""

    def __init__(self, connected=True):
        self.port = None
        self.connected = connected
        self.function = None
        self.strings = {}
        self.refusals = []
        self._read = memoryview(bytearray(READ_BYTES))
        self._read_bytes = 0

    def plug(self):
        self.connected = True
        self.port.attach()

    def unplug(self):
        self.connected = False
        self.lost()
        self.port.detach()

    def lost(self):
        """The device is gone."""
        self.function = None
        self._read_bytes = 0

    def enumerate(self):
        """Runs in the device's task. The function it uses is the last one: before it comes the REPL's."""
        self.lost()
        self.strings = {}
        try:
            functions = self._identify()
            self.port.control.transfer(0x00, _SET_CONFIGURATION, 1, 0, 0)
            self._check_requests(functions[-1])
            self.function = functions[-1]
        except Refused as refusal:
            self.refusals.append(str(refusal))
        except Stall as stall:
            self.refusals.append("the device refuses: %s" % stall)
        self.port.move()

    def set_line_state(self, dtr_and_rts):
        """Both lines together, as an operating system sets them when a program opens or closes the port."""
        if self.function:
            state = 3 if dtr_and_rts else 0
            self.port.control.transfer(0x21, _SET_CONTROL_LINE_STATE, state, self.function.control, 0)

    def _identify(self):
        get = self._get_descriptor
        usb_descriptors.need(get(_DEVICE, 0, 8)[:2] == b"\x12\x01", "the first 8 bytes are no device descriptor")
        self.port.control.transfer(0x00, _SET_ADDRESS, 7, 0, 0)
        named = set(usb_descriptors.check_device(get(_DEVICE, 0, 18)))
        (total,) = struct.unpack_from("<H", get(_CONFIGURATION, 0, 9), 2)
        functions, more = usb_descriptors.check_configuration(get(_CONFIGURATION, 0, total))
        usb_descriptors.need(functions, "no serial function")
        self._read_strings(named | more)
        return functions

    def _read_strings(self, indexes):
        usb_descriptors.check_string(0, self._get_descriptor(_STRING, 0, 255))
        for index in sorted(indexes - {0}):
            try:
                descriptor = self._get_descriptor(_STRING, index, 255)
            except Stall:
                raise Refused("there is no string %d" % index) from None
            self.strings[index] = usb_descriptors.check_string(index, descriptor)
        if self.port.faults:
            raise Refused(self.port.faults[-1])

    def _get_descriptor(self, kind, index, length):
        return self.port.control.transfer(
            0x80, _GET_DESCRIPTOR, kind << 8 | index, 0x0409 if kind == _STRING else 0, length
        )

    def _check_requests(self, function):
        """What the driver does when it binds: line coding there and back again; lines as they are while no program is there."""
        for coding in (_OTHER_LINE_CODING, _LINE_CODING):
            self.port.control.transfer(0x21, _SET_LINE_CODING, 0, function.control, len(coding), coding)
            answer = self.port.control.transfer(0xA1, _GET_LINE_CODING, 0, function.control, len(coding))
            usb_descriptors.need(answer == coding, "the line coding is not what was set")
        self.port.control.transfer(0x21, _SET_CONTROL_LINE_STATE, 0, function.control, 0)

    # --- data, for the port

    def room(self, address):
        """How many bytes of a transfer the host takes now: whole packets, or 0 while it does not read."""
        if not self.connected or not self.function or address != self.function.bulk_in or not self.reads():
            return 0
        return READ_BYTES - self._read_bytes

    def take(self, piece):
        """Packets of a transfer; the last of them may be short."""
        size = len(piece)
        self._read[self._read_bytes : self._read_bytes + size] = piece
        self._read_bytes += size
        if size == 0 or size % PACKET_BYTES or self._read_bytes == READ_BYTES:
            data = self._read[: self._read_bytes]
            self._read_bytes = 0
            self.deliver(data)

    def packet_bytes(self, address):
        """Size of the next packet for an endpoint of the device, or None; `take_packet` gives it."""
        if not self.connected or not self.function or address != self.function.bulk_out:
            return None
        return min(self.writes(), PACKET_BYTES) or None


class Program(BusHost):
    """A program in memory. It reads while `reading`; `received` is what it got; `on_received(data)` may be set."""

    def __init__(self, connected=True):
        super().__init__(connected)
        self.reading = True
        self.received = bytearray()
        self.on_received = None
        self._writes = []

    def read_on(self):
        self.reading = True
        self.port.move()

    def send(self, data):
        """One write to the port."""
        if data:
            self._writes.append(bytes(data))
            self.port.move()

    def unplug(self):
        super().unplug()
        self._writes = []

    def reads(self):
        return self.reading

    def deliver(self, data):
        self.received.extend(data)
        if self.on_received:
            self.on_received(bytes(data))

    def writes(self):
        return len(self._writes[0]) if self._writes else 0

    def take_packet(self, size):
        first = self._writes.pop(0)
        if len(first) > size:
            self._writes.insert(0, first[size:])
        return first[:size]
