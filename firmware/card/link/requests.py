"""What a host can ask: one function a request. PROTOCOL.md has them in the same order."""

import asyncio
from binascii import hexlify, unhexlify
from hashlib import sha256

from card.errors import Refused
from wire import message
from wire.sector import SECTOR_BYTES

_MOST_UNCERTAIN_MS = 24 * 3600 * 1000
_EARLIEST_MS = 1_577_836_800_000  # 2020-01-01: an older time is no time
_LATEST_MS = 4_102_444_800_000  # 2100-01-01


async def hello(link, fields):
    card = link.card
    await link.answer(
        {
            "v": message.VERSION,
            "card": card.name,
            "fw": card.version,
            "boot": card.boot,
            "ticks_us": card.clock.us(),
            "features": sorted(HANDLERS),
        }
    )


async def status(link, fields):
    await link.answer(link.card.status())


async def clock(link, fields):
    wall_ms = _whole(fields, "wall_ms", _EARLIEST_MS, _LATEST_MS)
    link.card.clock.set_wall(wall_ms, _whole(fields, "uncertainty_ms", 0, _MOST_UNCERTAIN_MS))
    await link.answer({"wall_ms": wall_ms})


async def list_recordings(link, fields):
    store = _store(link)
    recordings = store.recordings
    first = _whole(fields, "from", 0, len(recordings))
    page = recordings[first : first + message.ENTRIES_PER_LISTING]
    message.pack_listing_header(link.payload, store.generation, first, len(recordings))
    for index, recording in enumerate(page):
        message.pack_entry(link.payload, index, store.entry(recording))
    await link.send(message.LISTING, message.LISTING_HEADER_BYTES + len(page) * message.ENTRY_BYTES)


async def pull(link, fields):
    store = _store(link)
    recording, is_open = _recording(link, fields)
    sectors = store.sectors_of(recording)
    if is_open:
        sectors = sectors[:-1]  # only what has a successor can no longer change
    first = _whole(fields, "from", 0, len(sectors))
    await link.answer({"sectors": len(sectors), "open": is_open})
    at = message.SECTOR_NUMBER_BYTES
    for number in range(first, len(sectors)):
        if link.interrupted():
            return
        link.payload[:at] = number.to_bytes(at, "little")
        store.read_sector(sectors[number], link.payload[at : at + SECTOR_BYTES])
        await link.send(message.SECTOR, at + SECTOR_BYTES)
    await link.answer({"done": True})


async def safe(link, fields):
    store = _store(link)
    recording, is_open = _recording(link, fields)
    if is_open:
        raise Refused(message.OPEN, "that recording still runs")
    proof = _hex(fields, "digest", 32)
    library = _hex(fields, "library", 3)
    sectors = store.sectors_of(recording)
    if _whole(fields, "sectors", 0, 1 << 16) != len(sectors) or await _digest(store, sectors) != proof:
        raise Refused(message.DIGEST, "the digest is not that of the recording on the card")
    if not store.mark_safe(recording, proof, library):
        raise Refused(message.FLASH, "the card could not note the recording as safe")
    await link.answer({"safe": True})


async def stop(link, fields):
    await link.answer({"stopped": True})


async def bye(link, fields):
    await link.answer({"bye": True})
    link.leave()


HANDLERS = {
    "hello": hello,
    "status": status,
    "clock": clock,
    "list": list_recordings,
    "pull": pull,
    "safe": safe,
    "stop": stop,
    "bye": bye,
}


async def _digest(store, sectors):
    """SHA-256 of the recording's file, read from flash one sector a slice so that capture never waits."""
    digest = sha256()
    buffer = bytearray(SECTOR_BYTES)
    for sector in sectors:
        store.read_sector(sector, buffer)
        digest.update(buffer)
        await asyncio.sleep_ms(0)
    return digest.digest()


def _store(link):
    if link.card.store is None:
        raise Refused(message.FLASH, "this card's flash is not prepared for recordings")
    return link.card.store


def _recording(link, fields):
    """(recording number, whether it still runs) of a request's `n` and `nonce`."""
    recording = _whole(fields, "n", 1, 1 << 32)
    store = link.card.store
    if recording in store.recordings:
        if hexlify(store.entry(recording).nonce).decode() == fields["nonce"]:
            return recording, store.is_open(recording)
    raise Refused(message.GONE, "that recording is not on the card")


def _whole(fields, name, lowest, highest):
    value = fields[name]
    if type(value) is not int or not lowest <= value <= highest:
        raise ValueError(name)
    return value


def _hex(fields, name, size):
    value = unhexlify(fields[name])
    if len(value) != size:
        raise ValueError(name)
    return value
