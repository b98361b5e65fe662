"""What a host demands of USB descriptors, and what the ESP32-S3 can do: USB 2.0 chapter 9, the IAD notice, CDC 1.2.

Everything is bytes as they came over the bus; whatever is not right raises Refused with one precise sentence."""

import struct

DEVICE, CONFIGURATION, STRING, INTERFACE, ENDPOINT, ASSOCIATION, FUNCTIONAL = 1, 2, 3, 4, 5, 11, 0x24
IN = 0x80
BULK, INTERRUPT = 2, 3
BULK_PACKET_BYTES = 64
LAST_ENDPOINT = 6  # of the S3's controller
MOST_IN_ENDPOINTS = 4  # beside endpoint 0; their FIFOs, however large, then fit the controller's 256 words
ENGLISH = 0x0409
_HEADER, _CALL_MANAGEMENT, _ACM, _UNION = 0, 1, 2, 6
_COMMUNICATION, _ABSTRACT_CONTROL, _DATA = 0x02, 0x02, 0x0A


class Refused(Exception):
    """A host would not take this device."""


class Interface:
    """One interface with what belongs to it: `endpoints` {address: type}, `functional` {subtype: bytes}."""

    def __init__(self, number, triple, declared, string):
        self.number = number
        self.triple = triple  # class, subclass, protocol
        self.declared = declared  # endpoints it says it has
        self.string = string
        self.endpoints = {}
        self.functional = {}


class SerialFunction:
    """A CDC-ACM function: interface numbers and endpoint addresses."""

    def __init__(self, control, data, notification, bulk_out, bulk_in):
        self.control, self.data = control, data
        self.notification, self.bulk_out, self.bulk_in = notification, bulk_out, bulk_in


def need(condition, sentence, *values):
    """Raises Refused with the sentence unless the condition holds."""
    if not condition:
        raise Refused(sentence % values)


def check_device(descriptor):
    """Returns the indexes of the strings it names: manufacturer, product, serial number."""
    need(len(descriptor) == 18 and descriptor[0] == 18, "a device descriptor has 18 bytes")
    need(descriptor[1] == DEVICE, "no device descriptor but one of type %d", descriptor[1])
    need(descriptor[2:4] == b"\x00\x02", "a full-speed device with this controller is USB 2.00")
    need(descriptor[4:7] == b"\xef\x02\x01", "with interface associations the device's class is ef 02 01")
    need(descriptor[7] == 64, "endpoint 0 has packets of 64 bytes, not %d", descriptor[7])
    need(descriptor[17] == 1, "the device says it has %d configurations", descriptor[17])
    manufacturer, product, serial = descriptor[14:17]
    need(serial, "no serial number")
    return manufacturer, product, serial


def check_configuration(descriptor):
    """Returns ([SerialFunction], {index of a string it names}) of a whole configuration descriptor."""
    need(descriptor[0] == 9 and descriptor[1] == CONFIGURATION, "no configuration descriptor")
    total, count, value, string, attributes = struct.unpack_from("<HBBBB", descriptor, 2)
    need(total == len(descriptor), "wTotalLength is %d, but %d bytes came", total, len(descriptor))
    need(value, "a configuration's value is not 0")
    need(attributes & 0x9F == 0x80, "bmAttributes is %02x", attributes)
    interfaces, associations = _walk(descriptor)
    need(len(interfaces) == count, "bNumInterfaces is %d, but there are %d", count, len(interfaces))
    for interface in interfaces:
        _check_endpoint_count(interface)
    _check_endpoint_budget(interfaces)
    free = 0
    for association in associations:
        need(association[2] >= free, "two associations share interface %d", association[2])
        _check_association(association, interfaces)
        free = association[2] + association[3]
    serial = [one for one in interfaces if one.triple[:2] == (_COMMUNICATION, _ABSTRACT_CONTROL)]
    functions = [_serial_function(one, interfaces) for one in serial]
    for function in functions:
        _check_grouped(function, associations)
    named = {string} | {one.string for one in interfaces} | {one[7] for one in associations}
    return functions, named - {0}


def check_string(index, descriptor):
    """Returns the text of a string descriptor; of number 0 the languages, among which must be English."""
    need(len(descriptor) >= 2 and descriptor[1] == STRING, "string %d is no string descriptor", index)
    need(descriptor[0] == len(descriptor), "string %d says it has %d bytes", index, descriptor[0])
    need(descriptor[0] % 2 == 0, "string %d ends within a character", index)
    units = struct.unpack("<%dH" % (len(descriptor) // 2 - 1), descriptor[2:])
    if index == 0:
        need(ENGLISH in units, "no English among the languages")
        return units
    need(units, "string %d is empty", index)
    if max(units) < 0x80:
        return bytes(units).decode()  # `chr` would intern each letter, in the heap that is the card's as well
    return "".join(chr(unit) for unit in units)


def _walk(descriptor):
    """The configuration's interfaces in order, and its association descriptors."""
    interfaces, associations = [], []
    at = descriptor[0]
    while at < len(descriptor):
        size = descriptor[at]
        need(size >= 2 and at + size <= len(descriptor), "the descriptor at %d says %d bytes", at, size)
        part = descriptor[at : at + size]
        if part[1] == ASSOCIATION:
            need(size == 8, "an association at %d of %d bytes", at, size)
            need(part[2] == len(interfaces), "an association before interface %d is of %d", len(interfaces), part[2])
            associations.append(part)
        elif part[1] == INTERFACE:
            need(size == 9, "an interface at %d of %d bytes", at, size)
            need(part[2] == len(interfaces), "interface %d stands where %d is due", part[2], len(interfaces))
            need(part[3] == 0, "interface %d has alternate setting %d", part[2], part[3])
            interfaces.append(Interface(part[2], tuple(part[5:8]), part[4], part[8]))
        else:
            need(interfaces, "a descriptor of type %02x before the first interface", part[1])
            _belongs(part, interfaces[-1])
        at += size
    return interfaces, associations


def _belongs(part, interface):
    if part[1] == ENDPOINT:
        _check_endpoint(part)
        need(part[2] not in interface.endpoints, "endpoint %02x twice in interface %d", part[2], interface.number)
        interface.endpoints[part[2]] = part[3] & 3
    else:
        need(part[1] == FUNCTIONAL, "a descriptor of type %02x in interface %d", part[1], interface.number)
        need(len(part) >= 3, "a functional descriptor of %d bytes", len(part))
        known = interface.functional
        need(part[2] == _HEADER or _HEADER in known, "interface %d begins not with the header", interface.number)
        need(part[2] not in known, "functional descriptor %d twice in interface %d", part[2], interface.number)
        interface.functional[part[2]] = part


def _check_endpoint(part):
    need(len(part) == 7, "an endpoint descriptor of %d bytes", len(part))
    address, attributes, packet_bytes, interval = struct.unpack("<BBHB", part[2:])
    number = address & 0x0F
    need(1 <= number <= LAST_ENDPOINT and not address & 0x70, "endpoint %02x is not one of the controller's", address)
    need(attributes in (BULK, INTERRUPT), "endpoint %02x has the attributes %02x", address, attributes)
    if attributes == BULK:
        need(packet_bytes == BULK_PACKET_BYTES, "bulk endpoint %02x has packets of %d bytes", address, packet_bytes)
    else:
        need(1 <= packet_bytes <= 64, "interrupt endpoint %02x has packets of %d bytes", address, packet_bytes)
        need(interval, "interrupt endpoint %02x has no interval", address)


def _check_endpoint_count(interface):
    found = len(interface.endpoints)
    need(
        found == interface.declared,
        "interface %d has %d endpoints, not %d",
        interface.number,
        found,
        interface.declared,
    )


def _check_endpoint_budget(interfaces):
    addresses = []
    for interface in interfaces:
        for address in interface.endpoints:
            need(address not in addresses, "endpoint %02x belongs to two interfaces", address)
            addresses.append(address)
    inward = sum(1 for address in addresses if address & IN)
    need(inward <= MOST_IN_ENDPOINTS, "%d IN endpoints: the controller has %d", inward, MOST_IN_ENDPOINTS)


def _check_association(association, interfaces):
    first, count = association[2], association[3]
    need(count >= 2, "the association of interface %d groups %d", first, count)
    need(first + count <= len(interfaces), "the association of interface %d reaches to %d", first, first + count - 1)
    need(
        tuple(association[4:7]) == interfaces[first].triple,
        "the association of interface %d is of another class",
        first,
    )


def _serial_function(control, interfaces):
    """The function that a communication interface begins."""
    number = control.number
    for subtype, name, size in (
        (_HEADER, "header", 5),
        (_CALL_MANAGEMENT, "call management", 5),
        (_ACM, "abstract control", 4),
        (_UNION, "union", 5),
    ):
        part = control.functional.get(subtype)
        need(part, "interface %d has no %s descriptor", number, name)
        need(len(part) == size, "interface %d has a %s descriptor of %d bytes", number, name, len(part))
    _, _, _, master, data_number = control.functional[_UNION]
    need(master == number, "the union of interface %d is that of %d", number, master)
    need(data_number != number and data_number < len(interfaces), "interface %d unites with %d", number, data_number)
    data = interfaces[data_number]
    need(data.triple[0] == _DATA, "interface %d unites with %d, which is not of the data class", number, data_number)
    need(control.functional[_CALL_MANAGEMENT][4] == data_number, "interface %d manages calls over another", number)
    need(control.functional[_ACM][3] & 2, "interface %d takes no line coding and control line state", number)
    notification = _only(control, IN, INTERRUPT)
    return SerialFunction(number, data_number, notification, _only(data, 0, BULK), _only(data, IN, BULK))


def _only(interface, direction, kind):
    found = [address for address, has in interface.endpoints.items() if address & IN == direction and has == kind]
    way = "IN" if direction else "OUT"
    need(len(found) == 1, "interface %d has %d %s endpoints of type %d", interface.number, len(found), way, kind)
    return found[0]


def _check_grouped(function, associations):
    for association in associations:
        last = association[2] + association[3] - 1
        if association[2] <= function.control <= last and association[2] <= function.data <= last:
            return
    raise Refused("interfaces %d and %d are not grouped by an association" % (function.control, function.data))
