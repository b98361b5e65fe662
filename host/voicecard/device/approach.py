"""How to ask a port whose device is unknown whether a card is there, without disturbing what else may be."""

from __future__ import annotations

import random

from voicecard.firmware.wire import frame, message

PATIENCE_S = 3.0  # a card that has just been switched on still starts
_FIRST_PRINTABLE = 0x20
_DELETE = 0x7F


def harmless_hello() -> bytes:
    """A `hello` that a prompt takes for text which nobody enters: no new line, no Ctrl-C, no Ctrl-D.

    The request's type is the byte 1, Ctrl-A; after a printable one it only moves a prompt's cursor. What precedes it is
    COBS's first code, the number of bytes up to the end: spaces make that printable."""
    writer = frame.FrameWriter(frame.MAX_TO_CARD_BYTES)
    hello = message.pack_json({"do": "hello", "v": message.VERSION}).ljust(_FIRST_PRINTABLE - frame.OVERHEAD_BYTES)
    # Each has another checksum. In another order each time: an answer to an earlier program shall not pass for this one's.
    sequences = random.sample(range(_FIRST_PRINTABLE, _DELETE), _DELETE - _FIRST_PRINTABLE)
    frames = (bytes(writer.frame(message.REQUEST, sequence, hello)) for sequence in sequences)
    return next(asked for asked in frames if _is_text(asked[1:2] + asked[3:-1]))


def _is_text(data: bytes) -> bool:
    return all(byte >= _FIRST_PRINTABLE and byte != _DELETE for byte in data)


def sequence_of(asked: bytes) -> int:
    """The sequence number of a harmless hello."""
    return asked[3]
