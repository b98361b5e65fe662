"""Closes what a power cut left open. Nothing is ever added to a partly filled sector; a torn page is made void for good."""

from card.errors import CardError
from wire import block
from wire import sector as layout

from .cells import program_ended
from .writer import Writer


def recover(flash, index, recording, clock, log):
    """End an open recording with the reason "power lost", or, when no block can be written any more, by its cell alone."""
    sectors = index.sectors_of(recording)
    last = sectors[-1]
    buffer = bytearray(layout.SECTOR_BYTES)
    flash.read(last, 0, buffer)
    header = layout.read_header(buffer)
    _firm_up(flash, last, buffer)
    length, kept, lost, marks = _totals(flash, sectors, buffer)
    writer = Writer(flash, index, recording, header.boot, header.nonce, clock, header.number + 1, reserve=0)
    reason = block.END_POWER_LOST
    try:
        writer.end(length, reason, kept, lost, marks)
    except CardError as error:
        log.note("recording %d: no end block (%s)" % (recording, error))
        reason = block.END_CUT
    program_ended(flash, sectors[0], reason, length)
    log.note("recording %d: closed after a power cut" % recording)


def _firm_up(flash, sector, buffer):
    """Program the header and the last valid block once more with their own bytes, then zero the page behind."""
    view = memoryview(buffer)
    flash.program(sector, layout.HEADER_AT, view[layout.HEADER_AT : layout.SCAN_BYTES])
    end = layout.BLOCKS_AT
    for found in block.walk(buffer):
        end = found.at + block.stride(found.payload_bytes)
        last = found.at
    if end > layout.BLOCKS_AT:
        flash.program(sector, last, view[last:end])
    if end % layout.PAGE_BYTES:
        flash.void(sector, end)
        end += -end % layout.PAGE_BYTES
    if end < layout.SECTOR_BYTES:
        flash.void(sector, end)


def _totals(flash, sectors, buffer):
    """(length, kept samples, lost samples, marks) of what was written."""
    length = kept = lost = marks = 0
    for sector in sectors:
        flash.read(sector, 0, buffer)
        for found in block.walk(buffer):
            end = found.position
            if found.kind == block.AUDIO:
                kept += block.FRAME_SAMPLES
                end += block.FRAME_SAMPLES
            elif found.kind == block.GAP:
                end += block.read_gap(memoryview(buffer)[found.payload_at :]).samples
            elif found.kind == block.EVENT:
                event = block.read_event(memoryview(buffer)[found.payload_at :])
                if event.event == block.EVENT_SAMPLES_LOST:
                    lost += event.value
                    end += event.value
            elif found.kind == block.MARK:
                marks += 1
            length = max(length, end)
    return length, kept, lost, marks
