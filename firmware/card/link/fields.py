"""What a request's fields must be. All raise ValueError, TypeError or KeyError for what they are not: the answer is then `bad`."""

from binascii import unhexlify


def whole(fields, name, lowest, highest):
    """A whole number within limits."""
    value = fields[name]
    if type(value) is not int or not lowest <= value <= highest:
        raise ValueError(name)
    return value


def hexadecimal(fields, name, size):
    """So many bytes, written in hexadecimal."""
    value = unhexlify(fields[name])
    if len(value) != size:
        raise ValueError(name)
    return value
