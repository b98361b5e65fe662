"""COBS in viper, for the card: any bytes take the same time, zeros too, and nothing is allocated. The host has the package `cobs`.

S. Cheshire, M. Baker: Consistent Overhead Byte Stuffing, IEEE/ACM Transactions on Networking 7(2), 1999."""


@micropython.viper
def cobs_encode(source, size: int, target, at: int) -> int:
    """Encode source[:size] into `target` from `at` on, without delimiters; returns the offset behind it."""
    data = ptr8(source)
    out = ptr8(target)
    code_at = at
    code = 1
    at += 1
    for i in range(size):
        byte = int(data[i])
        if byte:
            out[at] = byte
            at += 1
            code += 1
        if byte == 0 or (code == 255 and i + 1 < size):
            out[code_at] = code
            code_at = at
            code = 1
            at += 1
    out[code_at] = code
    return at


@micropython.viper
def cobs_decode(source, size: int, target) -> int:
    """Decode source[:size] into `target`; returns the number of bytes, or -1 if it is no COBS or too long for `target`."""
    data = ptr8(source)
    out = ptr8(target)
    room = int(len(target))  # noqa: RUF046 - viper: else an object
    at = 0
    start = 0
    while start < size:
        code = int(data[start])
        end = start + code
        if code == 0 or end > size or at + code - 1 > room:
            return -1
        start += 1
        while start < end:
            out[at] = data[start]
            at += 1
            start += 1
        if code < 255 and start < size:
            if at == room:
                return -1
            out[at] = 0
            at += 1
    return at


@micropython.viper
def copy(source, start: int, end: int, target, at: int):
    """Put source[start:end] into `target` at `at`."""
    data = ptr8(source)
    out = ptr8(target)
    for i in range(start, end):
        out[at] = data[i]
        at += 1
