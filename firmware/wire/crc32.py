"""CRC-32 into a buffer, in viper: `binascii.crc32` makes a long integer on a 32-bit board, and where frames pass nothing may be allocated.

For the card alone; the host has zlib's."""

from array import array


def _make_table():
    """Remainders of all bytes by the reflected polynomial 0xEDB88320 (ISO 3309, as in zlib)."""
    table = array("I", bytes(4 * 256))
    for byte in range(256):
        remainder = byte
        for _ in range(8):
            remainder = remainder >> 1 ^ (0xEDB88320 if remainder & 1 else 0)
        table[byte] = remainder
    return table


TABLE = _make_table()


@micropython.viper
def seal(buf, first: int, first_end: int, second: int, second_end: int, at: int):
    """Put the CRC-32 of buf[first:first_end] + buf[second:second_end] at `at`, little-endian."""
    data = ptr8(buf)
    table = ptr32(TABLE)
    crc = -1
    for i in range(first, first_end):
        crc = ((crc >> 8) & 0xFFFFFF) ^ int(table[(crc ^ int(data[i])) & 0xFF])  # wraps
    for i in range(second, second_end):
        crc = ((crc >> 8) & 0xFFFFFF) ^ int(table[(crc ^ int(data[i])) & 0xFF])  # wraps
    crc = crc ^ -1
    for i in range(4):
        data[at + i] = crc & 0xFF
        crc >>= 8


@micropython.viper
def is_sealed(buf, end: int) -> bool:
    """Whether the CRC-32 of buf[:end] stands behind it."""
    data = ptr8(buf)
    table = ptr32(TABLE)
    crc = -1
    for i in range(end):
        crc = ((crc >> 8) & 0xFFFFFF) ^ int(table[(crc ^ int(data[i])) & 0xFF])  # wraps
    crc = crc ^ -1
    for i in range(end, end + 4):
        if int(data[i]) != crc & 0xFF:
            return False
        crc >>= 8
    return True


def seal_front(buf, end):
    """Put the CRC-32 of buf[:end] behind it."""
    seal(buf, 0, end, end, end, end)


def seal_block(buf, at, payload_bytes):
    """Write the CRC of a block whose header and payload stand at `at`."""
    payload_at = at + 12
    seal(buf, at, at + 8, payload_at, payload_at + payload_bytes, at + 8)
