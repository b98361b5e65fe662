"""What cobs.py and crc32.py are on the card, by the host's libraries: the package `cobs`, and zlib."""

from zlib import crc32

from cobs import cobs

_CRC_BYTES = 4


def cobs_encode(source, size, target, at):
    """Encode source[:size] into `target` from `at` on, without delimiters; returns the offset behind it."""
    coded = cobs.encode(source[:size])
    end = at + len(coded)
    target[at:end] = coded
    return end


def cobs_decode(source, size, target):
    """Decode source[:size] into `target`; returns the number of bytes, or -1 if it is no COBS or too long for `target`."""
    try:
        plain = cobs.decode(source[:size])
    except cobs.DecodeError:
        return -1
    if len(plain) > len(target):
        return -1
    target[: len(plain)] = plain
    return len(plain)


def copy(source, start, end, target, at):
    """Put source[start:end] into `target` at `at`."""
    target[at : at + end - start] = memoryview(source)[start:end]


def is_sealed(buf, end):
    """Whether the CRC-32 of buf[:end] stands behind it."""
    view = memoryview(buf)
    return int.from_bytes(view[end : end + _CRC_BYTES], "little") == crc32(view[:end])


def seal_front(buf, end):
    """Put the CRC-32 of buf[:end] behind it."""
    buf[end : end + _CRC_BYTES] = crc32(memoryview(buf)[:end]).to_bytes(_CRC_BYTES, "little")
