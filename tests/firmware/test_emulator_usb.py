"""The emulated USB port: it takes what an ESP32-S3 and a host take, and refuses the rest as they do."""

import time

import machine

from card.link import usb_descriptors
from emulator import board
from emulator.usb import BuiltinDefault
from emulator.usb_host import Program
from emulator.usb_port import Port

NAME = "k3f92b"
EINVAL, EBUSY = 22, 16
SETTLED_MS = 400
FUNCTION_AT = len(BuiltinDefault.desc_cfg)  # of the configuration descriptor: here the card's own function begins
CONTROL, HEADER, CALLS, ACM, UNION, NOTIFICATION, DATA, OUT, INWARD = 8, 17, 22, 27, 31, 36, 43, 52, 59  # in it


def plugged_in():
    board.reset()
    host = Program()
    board.usb = Port(board.world, host)
    return host


def configured(device=None, configuration=None, strings=None, **callbacks):
    """Activate a device with the card's descriptors, or others; returns what the host is like then."""
    host = plugged_in()
    usb = machine.USBDevice()
    builtin = usb.BUILTIN_DEFAULT
    usb.builtin_driver = builtin
    accept = {"control_xfer_cb": line_coding()}
    accept.update(callbacks)
    usb.config(
        device or builtin.desc_dev,
        configuration or usb_descriptors.configuration(builtin),
        usb_descriptors.strings(builtin, NAME) if strings is None else strings,
        **accept,
    )
    usb.active(True)
    time.sleep_ms(SETTLED_MS)
    return host


def line_coding():
    coding = bytearray(7)
    return lambda stage, request: coding if request[1] in (0x20, 0x21) else True


def changed(data, at, *values, cut=0):
    """`data` with other bytes from `at` on, where first `cut` bytes are taken out."""
    data = bytes(data)
    return data[:at] + bytes(values) + data[at + (cut or len(values)) :]


def refusal(**options):
    host = configured(**options)
    assert host.function is None
    (sentence,) = host.refusals
    return sentence


def raised(call, *arguments):
    try:
        call(*arguments)
    except Exception as error:
        return error
    return None


def test_a_host_takes_the_cards_descriptors():
    host = configured()
    assert host.refusals == [] and host.port.faults == [] and host.function


def test_every_defect_of_the_configuration_is_refused_and_the_card_does_not_appear():
    good = usb_descriptors.configuration(BuiltinDefault)
    at = FUNCTION_AT
    shorter, longer = len(good) - 7, len(good) + 7
    defects = (
        ("wTotalLength too small", changed(good, 2, shorter), "interface 3 has 1 endpoints, not 2"),
        ("wTotalLength too large", changed(good, 2, longer), "says 0 bytes"),
        ("too few interfaces", changed(good, 4, 3), "bNumInterfaces"),
        ("configuration value 0", changed(good, 5, 0), "value"),
        ("reserved attribute", changed(good, 7, 0x00), "bmAttributes"),
        ("a length of 0", changed(good, at + HEADER, 0), "says 0 bytes"),
        ("a gap in the numbers", changed(good, at + DATA + 2, 4), "interface 4 stands where 3 is due"),
        ("a number twice", changed(good, at + DATA + 2, 2), "interface 2 stands where 3 is due"),
        ("an alternate setting", changed(good, at + DATA + 3, 1), "alternate"),
        ("endpoint count", changed(good, at + DATA + 4, 1), "has 2 endpoints, not 1"),
        ("endpoint twice in an interface", changed(good, at + INWARD + 2, 0x04), "twice"),
        ("endpoint of two interfaces", changed(good, at + INWARD + 2, 0x82), "belongs to two"),
        ("endpoint the S3 has not", changed(good, at + INWARD + 2, 0x87), "not one of the controller's"),
        ("endpoint 0", changed(good, at + OUT + 2, 0x00), "not one of the controller's"),
        ("isochronous", changed(good, at + OUT + 3, 1), "attributes"),
        ("bulk packets of 32", changed(good, at + OUT + 4, 32), "packets of 32 bytes"),
        ("bulk packets of 512", changed(good, at + INWARD + 4, 0, 2), "packets of 512 bytes"),
        ("no interval", changed(good, at + NOTIFICATION + 6, 0), "no interval"),
        ("interrupt packets of 0", changed(good, at + NOTIFICATION + 4, 0), "packets of 0 bytes"),
        ("two OUT endpoints", changed(good, at + INWARD + 2, 0x05), "2 OUT endpoints"),
        ("association of other interfaces", changed(good, at + 2, 1), "before interface 2 is of 1"),
        ("association of too few", changed(good, at + 3, 1), "groups 1"),
        ("association of too many", changed(good, at + 3, 3), "reaches to 4"),
        ("association of another class", changed(good, at + 4, 0x0A), "another class"),
        ("overlapping associations", changed(good, 9 + 3, 3), "share interface 2"),
        ("no header", without(good, at + HEADER, 5), "begins not with the header"),
        ("no call management", without(good, at + CALLS, 5), "no call management"),
        ("no abstract control", without(good, at + ACM, 4), "no abstract control"),
        ("no union", without(good, at + UNION, 5), "no union"),
        ("union of another", changed(good, at + UNION + 3, 0), "union of interface 2 is that of 0"),
        ("union with itself", changed(good, at + UNION + 4, 2), "unites with 2"),
        ("union with none", changed(good, at + UNION + 4, 4), "unites with 4"),
        ("union with another function", changed(good, at + UNION + 4, 1), "over another"),
        ("calls over another", changed(good, at + CALLS + 4, 1), "over another"),
        ("no line coding", changed(good, at + ACM + 3, 0), "no line coding"),
        ("data of another class", changed(good, at + DATA + 5, 0xFF), "not of the data class"),
        ("a string that is not there", changed(good, at + 7, 9), "no string 9"),
        ("a fifth IN endpoint", with_more(good, at + INWARD, b"\x07\x05\x85\x02\x40\x00\x00", DATA), "5 IN endpoints"),
    )
    for what, configuration, sentence in defects:
        assert sentence in refusal(configuration=configuration), (what, refusal(configuration=configuration))


def without(good, at, size):
    return changed(changed(good, at, cut=size), 2, len(good) - size)


def with_more(good, at, part, interface):
    longer = changed(good[:at] + part + good[at:], 2, len(good) + len(part))
    return changed(longer, FUNCTION_AT + interface + 4, 3)


def test_every_defect_of_the_device_and_its_strings_is_refused():
    good = BuiltinDefault.desc_dev
    strings = usb_descriptors.strings(BuiltinDefault, NAME)

    def other(index, text):
        changed_strings = dict(strings)
        changed_strings[index] = text
        return changed_strings

    nameless = dict(strings)
    del nameless[3]
    for sentence, options in (
        ("no serial number", {"device": changed(good, 16, 0)}),
        ("packets of 64", {"device": changed(good, 7, 32)}),
        ("class", {"device": changed(good, 4, 0, 0, 0)}),
        ("configurations", {"device": changed(good, 17, 2)}),
        ("USB 2.00", {"device": changed(good, 2, 0, 3)}),
        ("18 bytes", {"device": good[:17]}),
        ("first 8 bytes", {"device": changed(good, 1, 2)}),
        ("MAC address", {"strings": nameless}),
        ("empty", {"strings": other(3, "")}),
        ("ASCII", {"strings": other(3, "a" * 41)}),
        ("ASCII", {"strings": other(3, "ä")}),
        ("ends with no zero", {"strings": other(3, bytearray(b"abc"))}),
        ("refuses: request 21 20", {"control_xfer_cb": lambda stage, request: False}),
        ("not what was set", {"control_xfer_cb": lambda stage, request: bytearray(7)}),
    ):
        assert sentence in refusal(**options), (sentence, refusal(**options))


def test_the_device_raises_what_the_port_raises():
    host = plugged_in()
    usb = machine.USBDevice()
    assert usb is machine.USBDevice() and usb.builtin_driver is usb.BUILTIN_NONE
    assert raised(usb.active, True).errno == EINVAL  # nothing is configured
    assert raised(usb.submit_xfer, 0x84, b"").errno == EINVAL and raised(usb.stall, 0x84).errno == EINVAL
    builtin = usb.builtin_driver = usb.BUILTIN_DEFAULT
    for arguments, what in (
        ((None, b"", None), "desc_dev"),
        ((b"", 5, None), "desc_cfg"),
        ((b"", b"", 5), "desc_strs"),
    ):
        assert str(raised(usb.config, *arguments)) == what
    assert isinstance(raised(usb.config, b"", b""), TypeError)
    strings = usb_descriptors.strings(builtin, NAME)
    usb.config(builtin.desc_dev, usb_descriptors.configuration(builtin), strings, control_xfer_cb=line_coding())
    assert usb.active() is False and usb.active(True) is False and usb.active() is True
    assert raised(usb.submit_xfer, 0x84, b"").errno == EINVAL  # the task has not run yet
    time.sleep_ms(SETTLED_MS)
    assert host.function
    assert isinstance(raised(usb.submit_xfer, 0x84, 5), TypeError)
    assert isinstance(raised(usb.submit_xfer, 0x04, b"read-only"), TypeError)
    assert isinstance(raised(usb.submit_xfer, "4", b""), TypeError)
    assert isinstance(raised(usb.submit_xfer, 0x80, b""), ValueError)
    assert isinstance(raised(usb.submit_xfer, 0x90, b""), ValueError)
    host.reading = False
    assert usb.submit_xfer(0x84, b"first") is True
    assert raised(usb.submit_xfer, 0x84, b"second").errno == EBUSY
    assert raised(lambda: setattr(usb, "builtin_driver", usb.BUILTIN_NONE)).errno == EINVAL
    assert host.port.faults == []


def test_what_would_crash_a_board_is_a_fault():
    for what, attempt in (
        ("not open", lambda usb: usb.submit_xfer(0x85, b"")),
        ("packet counter", lambda usb: usb.submit_xfer(0x84, bytearray(128 * 64))),
        ("whole packets", lambda usb: usb.submit_xfer(0x04, bytearray(10))),
        ("while active", lambda usb: usb.config(b"", b"", None)),
    ):
        host = configured()
        attempt(machine.USBDevice())
        (fault,) = host.port.faults
        assert what in fault


def test_a_transfer_of_full_packets_alone_is_not_seen_before_a_short_one_follows():
    done = []
    host = configured(xfer_cb=lambda *result: done.append(result))
    usb = machine.USBDevice()
    usb.submit_xfer(0x84, bytes(128))
    time.sleep_ms(5)
    assert done == [(0x84, 0, 128)] and host.received == b""
    usb.submit_xfer(0x84, b"")
    time.sleep_ms(5)
    assert done == [(0x84, 0, 128), (0x84, 0, 0)] and host.received == bytes(128)


def test_a_transfer_from_the_host_ends_with_a_short_packet_or_a_full_buffer():
    done = []
    host = configured(xfer_cb=lambda *result: done.append(result))
    usb = machine.USBDevice()
    buffer = bytearray(192)
    host.send(b"x" * 100)
    usb.submit_xfer(0x04, buffer)
    time.sleep_ms(5)
    assert done == [(0x04, 0, 100)] and buffer[:101] == b"x" * 100 + b"\0"
    host.send(b"y" * 192)
    usb.submit_xfer(0x04, buffer)
    time.sleep_ms(5)
    assert done[1:] == [(0x04, 0, 192)] and buffer == b"y" * 192
    host.send(b"z" * 64)
    usb.submit_xfer(0x04, buffer)
    time.sleep_ms(5)
    assert done[2:] == []  # nothing says yet that this was all


def test_transfers_take_their_time_and_a_host_that_does_not_read_leaves_them_pending():
    ends_us = []
    host = configured(xfer_cb=lambda *result: ends_us.append(board.world.now_us))
    usb = machine.USBDevice()
    start_us = board.world.now_us
    usb.submit_xfer(0x84, bytes(4100))
    time.sleep_ms(10)
    assert 4100 / 1.216 - 5 <= ends_us[0] - start_us <= 4100 / 1.216 + 20
    host.reading = False
    usb.submit_xfer(0x84, b"again")
    time.sleep(3600)
    assert len(ends_us) == 1
    host.read_on()
    time.sleep_ms(1)
    assert len(ends_us) == 2 and host.received[-5:] == b"again"


def test_the_end_of_a_transfer_is_told_also_when_the_schedulers_queue_is_full():
    done = []
    host = configured(xfer_cb=lambda *result: done.append(result))
    machine.USBDevice().submit_xfer(0x84, b"short")
    for _ in range(12):
        board.world.schedule(lambda argument: None, None)
    board.world.spend(1000)
    assert board.world.dropped_callbacks == 4
    time.sleep_ms(1)
    assert done == [(0x84, 0, 5)] and host.received == b"short"


def test_stalling_gives_up_what_is_pending():
    host = configured()
    usb = machine.USBDevice()
    host.reading = False
    usb.submit_xfer(0x84, b"never")
    assert usb.stall(0x84) is False and usb.stall(0x84, True) is False and usb.stall(0x84, False) is True
    assert usb.submit_xfer(0x84, b"instead") is True
    host.read_on()
    time.sleep_ms(1)
    assert host.received == b"instead"


def test_a_callback_that_raises_stalls_the_request_and_is_a_fault():
    def broken(stage, request):
        raise KeyError(stage)

    host = configured(control_xfer_cb=broken)
    assert host.function is None and "refuses" in host.refusals[0] and "KeyError" in host.port.faults[0]


def test_a_device_that_is_deactivated_disappears():
    host = configured()
    usb = machine.USBDevice()
    usb.active(False)
    time.sleep_ms(SETTLED_MS)
    assert host.function is None and host.refusals == []
    assert raised(usb.submit_xfer, 0x84, b"").errno == EINVAL
