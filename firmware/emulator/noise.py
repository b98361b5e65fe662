"""Seeded randomness: the same seed gives the same bytes on every interpreter, and the card's `random` is left alone."""

from uhashlib import sha256


class Noise:
    """A stream of bytes from SHA-256 in counter mode over `seed` (any text)."""

    def __init__(self, seed):
        self._seed = str(seed).encode()
        self._count = 0

    def bytes(self, size):
        out = b""
        while len(out) < size:
            out += sha256(self._seed + b":%d" % self._count).digest()
            self._count += 1
        return out[:size]

    def below(self, limit):
        """An integer from 0 to limit - 1."""
        return int.from_bytes(self.bytes(4), "little") % limit
