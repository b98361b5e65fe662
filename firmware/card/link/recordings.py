"""What a host can ask about the recordings: one function a request, as PROTOCOL.md has them."""

import asyncio
from binascii import hexlify
from hashlib import sha256

from card.errors import Refused
from wire import message
from wire.sector import SECTOR_BYTES

from .fields import hexadecimal, whole

_LIBRARY_BYTES = 3
_NONCE_BYTES = 8


async def list_recordings(link, fields):
    store = open_store(link)
    first = whole(fields, "from", 0, len(store.recordings))
    library = _library(fields) if "library" in fields else None
    pages = whole(fields, "pages", 1, message.MOST_PAGES) if "pages" in fields else 1
    for _ in range(pages):
        first, in_all = await _send_page(link, store, first, library)
        if first >= in_all or link.interrupted():
            return


async def _send_page(link, store, first, library):
    """Send one listing frame; returns (index behind its last entry, recordings in all)."""
    recordings = store.recordings  # anew for each page: the generation tells of changes in between
    page = recordings[first : first + message.ENTRIES_PER_LISTING]
    message.pack_listing_header(link.payload, store.generation, first, len(recordings))
    for index, recording in enumerate(page):
        message.pack_entry(link.payload, index, store.entry(recording, library))
    await link.send(message.LISTING, message.LISTING_HEADER_BYTES + len(page) * message.ENTRY_BYTES)
    return first + len(page), len(recordings)


async def pull(link, fields):
    store = open_store(link)
    recording, is_open = _recording(store, fields)
    sectors = store.sectors_of(recording)
    if is_open:
        sectors = sectors[:-1]  # only what has a successor can no longer change
    first = whole(fields, "from", 0, len(sectors))
    await link.answer({"sectors": len(sectors), "open": is_open})
    await stream(link, first, len(sectors), lambda index, buffer: store.read_sector(sectors[index], buffer))


async def safe(link, fields):
    store = open_store(link)
    recording, is_open = _recording(store, fields)
    if is_open:
        raise Refused(message.OPEN, "that recording still runs")
    proof = hexadecimal(fields, "digest", 32)
    library = _library(fields)
    if "then" in fields:
        _check_pull(fields["then"])
    sectors = store.sectors_of(recording)
    if whole(fields, "sectors", 0, 1 << 16) != len(sectors) or await _digest(store, sectors, link.payload) != proof:
        raise Refused(message.DIGEST, "the digest is not that of the recording on the card")
    if not store.mark_safe(recording, proof, library):
        raise Refused(message.FLASH, "the card could not note the recording as safe")
    await link.answer({"safe": True})
    if "then" in fields and not link.interrupted():
        await pull(link, fields["then"])


async def revoke(link, fields):
    store = open_store(link)
    recording, _ = _recording(store, fields)
    if not store.revoke(recording, _library(fields)):
        raise Refused(message.FLASH, "the card could not take the library's mark back")
    await link.answer({"revoked": True})


async def stream(link, first, count, read):
    """Send sectors `first` to `count`, each put into a buffer by `read(index, buffer)`, unless the host asks for something else.

    No task and no coroutine is made for each of them, nor anything else on the heap."""
    payload, at = link.payload, message.SECTOR_NUMBER_BYTES
    sector = payload[at : at + SECTOR_BYTES]
    link.sectors_of_stream = count
    for index in range(first, count):
        if link.interrupted():
            return
        payload[0], payload[1] = index & 0xFF, index >> 8
        read(index, sector)
        link.sectors_streamed = index + 1
        link.begin(message.SECTOR, at + SECTOR_BYTES)
        while (pause_ms := link.go_on()) is not None:
            await asyncio.sleep_ms(pause_ms)
    await link.answer({"done": True})


def open_store(link):
    """The card's store. Raises Refused when it has none."""
    if link.card.formatted is not None:
        raise Refused(message.BUSY, "the card is being formatted")
    if link.card.store is None:
        raise Refused(message.FLASH, "this card's flash is not prepared for recordings")
    return link.card.store


async def _digest(store, sectors, scratch):
    """SHA-256 of the recording's file, read from flash one sector a slice so that capture never waits."""
    digest = sha256()
    buffer = scratch[:SECTOR_BYTES]
    for sector in sectors:
        store.read_sector(sector, buffer)
        digest.update(buffer)
        await asyncio.sleep_ms(0)
    return digest.digest()


def _recording(store, fields):
    """(recording number, whether it still runs) of a request's `n` and `nonce`."""
    recording = whole(fields, "n", 1, 1 << 32)
    if recording in store.recordings and hexlify(store.entry(recording).nonce).decode() == fields["nonce"]:
        return recording, store.is_open(recording)
    raise Refused(message.GONE, "that recording is not on the card")


def _check_pull(fields):
    """The fields of a pull that comes after something else: what is wrong with them must be known before."""
    whole(fields, "n", 1, 1 << 32)
    hexadecimal(fields, "nonce", _NONCE_BYTES)
    whole(fields, "from", 0, 1 << 16)


def _library(fields):
    return hexadecimal(fields, "library", _LIBRARY_BYTES)
