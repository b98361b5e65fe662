"""The messages that link frames carry. PROTOCOL.md describes each one with its fields."""

import json
import struct
from collections import namedtuple

VERSION = 1
REQUEST, ANSWER, LISTING, SECTOR = 1, 2, 3, 4

LISTED_ENDED, LISTED_SAFE, LISTED_HEADLESS, LISTED_MINE = 1, 2, 4, 8
ENTRIES_PER_LISTING = 64
MOST_PAGES = 1024  # in one answer to `list`: more recordings than any partition has sectors
MAX_JSON_BYTES = 2048

LIST_PAGES, SAFE_THEN = "list.pages", "safe.then"  # features beyond requests

UNKNOWN, BAD, GONE, OPEN, DIGEST, FLASH, BUSY = "unknown", "bad", "gone", "open", "digest", "flash", "busy"
FULL = "full"

_LISTING = "<IHH"
_ENTRY = "<8sIIIHBBB3s"
LISTING_HEADER_BYTES = struct.calcsize(_LISTING)
ENTRY_BYTES = struct.calcsize(_ENTRY)
SECTOR_NUMBER_BYTES = 2

Entry = namedtuple("Entry", ("nonce", "recording", "boot", "samples", "sectors", "flags", "reason", "copies"))
Listing = namedtuple("Listing", ("generation", "first", "total", "entries"))


def pack_json(fields):
    """A request's or an answer's payload, without spaces: a proof with the next pull must fit a frame to the card."""
    return json.dumps(fields, separators=(",", ":")).encode()


def read_json(payload):
    """The object in a request or an answer. Raises ValueError if it is none, or unreasonably long."""
    if len(payload) > MAX_JSON_BYTES:
        raise ValueError("message too long")
    try:
        fields = json.loads(bytes(payload).decode())
    except RuntimeError as error:
        raise ValueError("message nests too deep") from error
    if not isinstance(fields, dict):
        raise ValueError("message is not an object")
    return fields


def pack_listing_header(buf, generation, first, total):
    """Write a listing's first eight bytes; entries follow, each by `pack_entry`."""
    struct.pack_into(_LISTING, buf, 0, generation, first, total)


def pack_entry(buf, index, entry):
    """Write entry `index` of a listing (0 to 63) behind its header."""
    struct.pack_into(_ENTRY, buf, LISTING_HEADER_BYTES + index * ENTRY_BYTES, *entry, bytes(3))


def read_listing(payload):
    """The Listing in a payload. Raises ValueError if its length is not that of a listing."""
    count, rest = divmod(len(payload) - LISTING_HEADER_BYTES, ENTRY_BYTES)
    if count < 0 or rest or count > ENTRIES_PER_LISTING:
        raise ValueError("not a listing")
    generation, first, total = struct.unpack_from(_LISTING, payload)
    entries = [
        Entry(*struct.unpack_from(_ENTRY, payload, LISTING_HEADER_BYTES + i * ENTRY_BYTES)[:8]) for i in range(count)
    ]
    return Listing(generation, first, total, entries)
