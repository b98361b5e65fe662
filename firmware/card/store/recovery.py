"""Closes what a power cut left open. Nothing is ever added to a partly filled sector; a torn page is made void for good.

A bit that was being cleared when the power went may read differently each time. So whatever was last programmed is either
programmed once more with its own bytes or zeroed, before anything relies on it."""

from micropython import const

from card.errors import CardError
from wire import block
from wire import sector as layout

from .cells import program_ended
from .index import SET_ASIDE, TORN, UNPREPARED
from .writer import Writer

_TRIES = const(2)  # at writing an end block: more would let a supply that fails again and again fill the card
_SKEW_SECTORS = const(3)  # 600 ms are 20 pages
UNCOUNTED = const(0xFFFFFFFF)  # counting would need the whole recording read, which may take longer than a start may


def sort_torn(flash, index):
    """Sectors that nobody can have written to are given up: to be erased, their numbers used again. The others are set aside."""
    for sector in index.in_state(TORN):
        _give_up(flash, index, sector)


def _give_up(flash, index, sector):
    if flash.is_blank(sector, layout.SCAN_BYTES):
        flash.program(sector, 0, bytes(layout.SCAN_BYTES))
        index.give_up(sector, UNPREPARED)
    else:
        index.give_up(sector, SET_ASIDE)


def close(flash, index, recording, boot, clock, log):
    """End an open recording with the reason "power lost", or, when no block may or can be written any more, by its cell alone.

    Returns (reason, length in samples)."""
    buffer = bytearray(layout.SECTOR_BYTES)
    sectors = _readable_sectors(flash, index, recording, buffer)
    if not sectors:
        return block.END_CUT, 0
    last = layout.read_header(buffer)
    end = _firm_up(flash, sectors[-1], buffer)
    if end is None:
        end = block.END_POWER_LOST, _length(flash, sectors, buffer)
        writer = Writer(flash, index, recording, boot, last.nonce, clock, last.number + 1, reserve=0)
        try:
            if _tries(flash, sectors) >= _TRIES:
                raise CardError("two starts have tried")
            writer.end(end[1], end[0], UNCOUNTED, UNCOUNTED, UNCOUNTED)
        except CardError as error:
            log.note("recording %d: no end block (%s)" % (recording, error))
            end = block.END_CUT, end[1]
    program_ended(flash, sectors[0], *end)
    log.note("recording %d: closed after a power cut" % recording)
    return end


def _readable_sectors(flash, index, recording, buffer):
    """The recording's sectors, the last of them read into `buffer`; last ones whose header reads no more are given up."""
    sectors = index.sectors_of(recording)
    while sectors:
        flash.read(sectors[-1], 0, buffer)
        if layout.read_header(buffer):
            break
        _give_up(flash, index, sectors.pop())
    return sectors


def _tries(flash, sectors):
    """How many starts have taken a sector for the end block: their boot is not the recording's."""
    boots = [_boot_of(flash, sector) for sector in sectors[:1] + sectors[-_TRIES:]]
    return sum(1 for boot in boots[1:] if boot != boots[0])


def _boot_of(flash, sector):
    head = bytearray(layout.SCAN_BYTES)
    flash.read(sector, 0, head)
    header = layout.read_header(head)
    return header.boot if header else 0


def _firm_up(flash, sector, buffer):
    """Program marker, header and the last valid block once more with their own bytes, and unless that is the end, void what follows.

    Returns (reason, length in samples) of the end block, or None if there is none."""
    view = memoryview(buffer)
    flash.program(sector, 0, view[: layout.SCAN_BYTES])
    last, end = None, layout.BLOCKS_AT
    for found in block.walk(buffer):
        last, end = found, found.at + block.stride(found.payload_bytes)
    if last:
        flash.program(sector, last.at, view[last.at : end])
        if last.kind == block.END:  # a host may have proved these very bytes already
            return block.read_end(view[last.payload_at :]).reason, last.position
    _void_next_program(flash, sector, end)
    return None


def _void_next_program(flash, sector, at):
    """Zero what the program after `at` could have torn: the rest of that page, or the next page."""
    if at % layout.PAGE_BYTES:
        flash.void(sector, at)
        at += -at % layout.PAGE_BYTES
    if at < layout.SECTOR_BYTES:
        flash.void(sector, at)


def _length(flash, sectors, buffer):
    """Samples from the start to the end of the latest valid block: sound is written behind marks, by the pre-roll of at most 600 ms."""
    length = told = 0
    for sector in reversed(sectors):
        flash.read(sector, 0, buffer)
        ends = [b.position + _samples(b, memoryview(buffer)[b.payload_at :]) for b in block.walk(buffer)]
        if ends:
            length = max(length, max(ends))
            told += 1
        if told == _SKEW_SECTORS:
            break
    return length


def _samples(found, payload):
    """How much of the time line a block covers."""
    if found.kind == block.AUDIO:
        return block.FRAME_SAMPLES
    if found.kind == block.GAP:
        return block.read_gap(payload).samples
    if found.kind == block.EVENT:
        event = block.read_event(payload)
        return event.value if event.event == block.EVENT_SAMPLES_LOST else 0
    return 0
