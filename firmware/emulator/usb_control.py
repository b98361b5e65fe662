"""Control transfers as TinyUSB handles them: standard requests itself, those to the card's interfaces in Python."""

import struct

from emulator.usb import IN, is_buffer

_SETUP, _DATA, _ACK = 1, 2, 3  # stages
_RECIPIENT, _INTERFACE, _KIND = 0x1F, 1, 0x60  # in a request's type
_SET_ADDRESS, _GET_DESCRIPTOR, _SET_CONFIGURATION = 5, 6, 9
_DEVICE, _CONFIGURATION, _STRING, _INTERFACE_TYPE, _ENDPOINT_TYPE, _ASSOCIATION = 1, 2, 3, 4, 5, 11
_STRING_CHARACTERS = 40  # MICROPY_HW_USB_DESC_STR_MAX
_SERIAL_NUMBER = 3
_BUILTIN_STRINGS = {1: "MicroPython", 2: "Board in FS mode", _SERIAL_NUMBER: "0123456789ab", 4: "Board CDC"}


class Stall(Exception):
    """The device refuses a control transfer."""


class ControlEndpoint:
    """Endpoint 0 of a Port, which opens and closes the others."""

    def __init__(self, port):
        self._port = port
        self.close()

    def close(self):
        """The host has not configured the device."""
        self._configuration = 0
        self._interfaces = []  # numbers of those that Python serves

    def transfer(self, request_type, request, value, index, length, data=b""):
        """Returns what the device answers, at most `length` bytes. Raises Stall."""
        if request_type & (_KIND | _RECIPIENT) == 0:
            return self._standard(request, value, length)
        if request_type & _RECIPIENT == _INTERFACE and index in self._interfaces:
            return self._in_python(struct.pack("<BBHHH", request_type, request, value, index, length), length, data)
        raise Stall("request %02x %02x" % (request_type, request))

    def _standard(self, request, value, length):
        if request == _GET_DESCRIPTOR:
            return self._descriptor(value >> 8, value & 0xFF)[:length]
        if request == _SET_CONFIGURATION:
            self._set_configuration(value)
        elif request != _SET_ADDRESS:
            raise Stall("standard request %d" % request)
        return b""

    def _descriptor(self, kind, index):
        device = self._port.device
        if kind == _DEVICE:
            return bytes(device.desc_dev)
        if kind == _CONFIGURATION and index == 0:
            descriptor = bytes(device.desc_cfg)
            (total,) = struct.unpack_from("<H", descriptor, 2)
            if total != len(descriptor):
                self._port.fault("wTotalLength is %d, but there are %d bytes" % (total, len(descriptor)))
            return (descriptor + bytes(max(0, total - len(descriptor))))[:total]
        if kind == _STRING:
            return b"\x04\x03\x09\x04" if index == 0 else self._string(index)
        raise Stall("descriptor %d" % kind)

    def _string(self, index):
        try:
            text = self._port.device.desc_strs[index]
        except (KeyError, IndexError, TypeError):
            text = None
        if text is None:
            if index == _SERIAL_NUMBER:
                self._port.fault("the serial number would be the chip's MAC address")
            text = _BUILTIN_STRINGS.get(index)
        if text is None:
            raise Stall("string %d" % index)
        if not isinstance(text, (str, bytes)):
            self._port.fault("string %d is a buffer that ends with no zero" % index)
        units = text.encode() if isinstance(text, str) else bytes(text)
        if len(units) > _STRING_CHARACTERS or any(not 32 <= unit < 127 for unit in units):
            self._port.fault("string %d is not plain ASCII of at most %d characters" % (index, _STRING_CHARACTERS))
        units = units[:_STRING_CHARACTERS]
        return struct.pack("<BB%dH" % len(units), 2 + 2 * len(units), _STRING, *units)

    def _set_configuration(self, value):
        """The one that is set already is no change; another closes everything first."""
        if value != self._configuration:
            if self._configuration:
                self._port.reset()
            self._configuration = value
            if value:
                self._open_functions()

    def _open_functions(self):
        """What an association groups is opened at once; what is built in is not Python's."""
        device = self._port.device
        descriptor = memoryview(bytes(device.desc_cfg))
        at, grouped = descriptor[0], 1
        while at < len(descriptor):
            kind = descriptor[at + 1]
            if kind == _INTERFACE_TYPE and descriptor[at + 2] >= device.builtin_driver.itf_max:
                end = self._open(descriptor, at, grouped)
                self._port.call(device.open_itf_cb, descriptor[at:end])
                at, grouped = end, 1
            else:
                grouped = descriptor[at + 3] if kind == _ASSOCIATION else 1
                at += descriptor[at]

    def _open(self, descriptor, at, count):
        """Open the endpoints of the next `count` interfaces; returns where their descriptors end."""
        while at < len(descriptor) and not (descriptor[at + 1] == _INTERFACE_TYPE and count == 0):
            if descriptor[at + 1] == _INTERFACE_TYPE:
                self._interfaces.append(descriptor[at + 2])
                count -= 1
            elif descriptor[at + 1] == _ENDPOINT_TYPE:
                self._port.open(descriptor[at + 2])
            at += descriptor[at]
        return at

    def _in_python(self, setup, length, data):
        callback = self._port.device.control_xfer_cb
        request = memoryview(setup)
        result = self._port.call(callback, _SETUP, request)
        answer = b""
        if is_buffer(result):
            if setup[0] & IN:
                answer = bytes(result)[:length]
            else:
                count = min(len(result), len(data))
                result[:count] = data[:count]
            if not self._port.call(callback, _DATA, request):
                raise Stall("the data of request %02x %02x" % (setup[0], setup[1]))
        elif not result:
            raise Stall("request %02x %02x" % (setup[0], setup[1]))
        self._port.call(callback, _ACK, request)
        return answer
