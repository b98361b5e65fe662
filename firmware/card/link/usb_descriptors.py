"""The USB descriptors of the carrier `usb`: a CDC-ACM function behind what is built into the firmware.

USB 2.0 chapter 9, the IAD engineering change notice, CDC 1.2 and PSTN 1.2. The ESP32-S3 has endpoints 1 to 6 and at most
five IN endpoints at a time, endpoint 0 among them (its technical reference, USB OTG features; TinyUSB asserts the same).
The built-in function takes two, this one the last two."""

import struct

from micropython import const

PACKET_BYTES = const(64)  # of a bulk endpoint at full speed
IN = const(0x80)
_NOTIFICATION_BYTES = const(8)
_NOTIFICATION_MS = const(16)
_PRODUCT, _SERIAL_NUMBER = const(2), const(3)  # indexes in the built-in device descriptor
_LENGTH_AT, _INTERFACES_AT = const(2), const(4)  # in a configuration descriptor
_INTERFACES = const(2)


def control_interface(builtin):
    """The number of the control interface; the data interface is the next."""
    return builtin.itf_max


def data_endpoint(builtin):
    """The number of the bulk endpoints, the same both ways; the notification endpoint is the one before."""
    return builtin.ep_max + 1


def configuration(builtin):
    """The whole configuration descriptor, as bytes: the built-in functions and this one."""
    descriptor = bytearray(builtin.desc_cfg)
    descriptor.extend(_function(builtin))
    struct.pack_into("<H", descriptor, _LENGTH_AT, len(descriptor))
    descriptor[_INTERFACES_AT] = builtin.itf_max + _INTERFACES
    return bytes(descriptor)


def strings(builtin, name):
    """{index: text}; those that are missing stay the firmware's. The serial number would be the chip's MAC address."""
    return {_PRODUCT: "voicecard", _SERIAL_NUMBER: name, builtin.str_max: "voicecard link"}


def _function(builtin):
    control = control_interface(builtin)
    data = control + 1
    bulk = data_endpoint(builtin)
    title = builtin.str_max
    return b"".join(
        (
            struct.pack("8B", 8, 0x0B, control, _INTERFACES, 0x02, 0x02, 0, title),  # interface association
            struct.pack("9B", 9, 0x04, control, 0, 1, 0x02, 0x02, 0, title),  # abstract control model
            struct.pack("<3BH", 5, 0x24, 0x00, 0x0120),  # header: CDC 1.20
            struct.pack("5B", 5, 0x24, 0x01, 0, data),  # call management: none
            struct.pack("4B", 4, 0x24, 0x02, 0x02),  # line coding and control line state
            struct.pack("5B", 5, 0x24, 0x06, control, data),  # union
            struct.pack("<4BHB", 7, 0x05, IN | bulk - 1, 0x03, _NOTIFICATION_BYTES, _NOTIFICATION_MS),
            struct.pack("9B", 9, 0x04, data, 0, 2, 0x0A, 0, 0, 0),  # data
            struct.pack("<4BHB", 7, 0x05, bulk, 0x02, PACKET_BYTES, 0),
            struct.pack("<4BHB", 7, 0x05, IN | bulk, 0x02, PACKET_BYTES, 0),
        )
    )
