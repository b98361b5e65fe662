"""Blocks within a sector: head, audio, gap, mark, event, end. FORMAT.md describes every field.

A block is a 12-byte header and a payload, and lies within one 256-byte page, so that one program call writes it.
"""

import struct
from binascii import crc32
from collections import namedtuple

from .sector import BLOCKS_AT, PAGE_BYTES, SECTOR_BYTES, field8, text_of

HEAD, AUDIO, GAP, MARK, EVENT, END = 1, 2, 3, 4, 5, 6
VOID, BLANK = 0x00, 0xFF

BLOCK_HEADER_BYTES = 12
MAX_PAYLOAD_BYTES = PAGE_BYTES - BLOCK_HEADER_BYTES

SAMPLE_RATE = 16000
FRAME_SAMPLES = 480  # 30 ms: the frame of the WebRTC VAD whose codes fill a page
CODEC_STATE_BYTES = 4
AUDIO_PAYLOAD_BYTES = CODEC_STATE_BYTES + FRAME_SAMPLES // 2
CODEC_IMA_ADPCM = 1
MAX_RECORDING_SAMPLES = 12 * 3600 * SAMPLE_RATE

FLAG_SPEECH = 1

GAP_SILENCE, GAP_PAUSED, GAP_WITHHELD = 0, 1, 2
EVENT_CLOCK_SET, EVENT_SAMPLES_LOST, EVENT_BATTERY, EVENT_STALLED, EVENT_PAGE_REWRITTEN, EVENT_NO_SOUND = (
    1,
    2,
    3,
    4,
    5,
    6,
)
(
    END_NONE,
    END_KEY,
    END_STORAGE_FULL,
    END_POWER_LOST,
    END_BATTERY_LOW,
    END_ROLLED_OVER,
    END_HOST,
    END_FAULT,
    END_CUT,
) = range(9)
KIND_RECORDING, KIND_MEMO = 0, 1

_BLOCK = "<BBHI"
_HEAD = "<8s8sIIQQIIHBB"
_GAP = "<IHHBBH"
_EVENT = "<B3sIQ"
_END = "<B3sIII"
_NONE3 = bytes(3)
HEAD_BYTES = struct.calcsize(_HEAD)
GAP_BYTES = struct.calcsize(_GAP)

Head = namedtuple(
    "Head",
    (
        "card",
        "firmware",
        "recording",
        "boot",
        "ticks_us",
        "wall_ms",
        "wall_uncertainty_ms",
        "sample_rate",
        "frame_samples",
        "codec",
        "kind",
        "settings_json",
    ),
)
Gap = namedtuple("Gap", ("samples", "mean", "peak", "reason"))
Event = namedtuple("Event", ("event", "value", "wide"))
End = namedtuple("End", ("reason", "kept_samples", "lost_samples", "marks"))
Block = namedtuple("Block", ("kind", "flags", "position", "at", "payload_at", "payload_bytes"))


def pack_block_header(buf, at, kind, flags, payload_bytes, position):
    """Write a block header without its CRC; `seal_block` adds that once the payload is in place."""
    struct.pack_into(_BLOCK, buf, at, kind, flags, payload_bytes, position)


def seal_block(buf, at, payload_bytes):
    """Write the CRC-32 of a block whose header and payload stand at `at`."""
    struct.pack_into("<I", buf, at + 8, _crc(buf, at, payload_bytes))


def pack_block(kind, position, payload=b"", flags=0):
    """A whole block as a bytearray, padded with blank bytes to a multiple of four.

    Raises ValueError for a payload that would not fit in a page."""
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise ValueError("a block's payload is at most 244 bytes")
    block = bytearray(b"\xff" * stride(len(payload)))
    pack_block_header(block, 0, kind, flags, len(payload), position)
    block[BLOCK_HEADER_BYTES : BLOCK_HEADER_BYTES + len(payload)] = payload
    seal_block(block, 0, len(payload))
    return block


def stride(payload_bytes):
    """Bytes from one block to the next."""
    return (BLOCK_HEADER_BYTES + payload_bytes + 3) & ~3


def _crc(buf, at, payload_bytes):
    view = memoryview(buf)
    start = at + BLOCK_HEADER_BYTES
    return crc32(view[start : start + payload_bytes], crc32(view[at : at + 8]))


def walk(sector):
    """Yield each valid Block of a sector buffer (4096 bytes) in order; stops where the rest is blank or void."""
    at = BLOCKS_AT
    while at < SECTOR_BYTES:
        room = PAGE_BYTES - at % PAGE_BYTES
        if room < BLOCK_HEADER_BYTES:
            at += room
            continue
        kind, flags, payload_bytes, position = struct.unpack_from(_BLOCK, sector, at)
        if kind == BLANK:
            if room == PAGE_BYTES:
                return
            at += room
            continue
        if kind == VOID or BLOCK_HEADER_BYTES + payload_bytes > room:
            return
        if struct.unpack_from("<I", sector, at + 8)[0] != _crc(sector, at, payload_bytes):
            return
        yield Block(kind, flags, position, at, at + BLOCK_HEADER_BYTES, payload_bytes)
        at += stride(payload_bytes)


def pack_head(head):
    """The payload of a head block. Raises ValueError when the settings are too long for a page."""
    payload = (
        struct.pack(
            _HEAD,
            field8(head.card),
            field8(head.firmware),
            head.recording,
            head.boot,
            head.ticks_us,
            head.wall_ms,
            head.wall_uncertainty_ms,
            head.sample_rate,
            head.frame_samples,
            head.codec,
            head.kind,
        )
        + head.settings_json.encode()
    )
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise ValueError("a head's settings are at most 192 bytes")
    return payload


def read_head(payload):
    """The Head in a payload. Raises ValueError if it is too short or its settings are not text."""
    _need(payload, HEAD_BYTES)
    card, firmware, *rest = struct.unpack_from(_HEAD, payload)
    fields = [text_of(card), text_of(firmware)] + rest + [bytes(payload[HEAD_BYTES:]).decode()]
    return Head(*fields)


def pack_gap_into(buf, at, samples, mean, peak, reason):
    """Write a gap's payload (12 bytes) without allocating."""
    struct.pack_into(_GAP, buf, at, samples, mean, peak, reason, 0, 0)


def pack_gap(gap):
    payload = bytearray(GAP_BYTES)
    pack_gap_into(payload, 0, *gap)
    return payload


def read_gap(payload):
    _need(payload, GAP_BYTES)
    return Gap(*struct.unpack_from(_GAP, payload)[:4])


def pack_event(event):
    return struct.pack(_EVENT, event.event, _NONE3, event.value, event.wide)


def read_event(payload):
    _need(payload, struct.calcsize(_EVENT))
    event, _, value, wide = struct.unpack_from(_EVENT, payload)
    return Event(event, value, wide)


def pack_end(end):
    return struct.pack(_END, end.reason, _NONE3, end.kept_samples, end.lost_samples, end.marks)


def read_end(payload):
    _need(payload, struct.calcsize(_END))
    reason, _, kept, lost, marks = struct.unpack_from(_END, payload)
    return End(reason, kept, lost, marks)


def _need(payload, size):
    if len(payload) < size:
        raise ValueError("a block's payload is too short")
