"""A small emulated flash with a prepared recordings partition, for tests of the store."""

import os
import struct

import esp32

from card.clock import Clock
from card.log import Log
from card.store.log import SectorLog
from emulator import board
from wire import sector

PARTITION_AT = 0x10000
CARD = "k3f92b"


def make_image(path, sectors, marked=True):
    """A flash image whose partition table has `recordings` alone, every sector clean."""
    entry = struct.pack("<HBBII16sI", 0x50AA, 1, 0x40, PARTITION_AT, sectors * sector.SECTOR_BYTES, b"recordings", 0)
    clean = bytearray(b"\xff" * sector.SECTOR_BYTES)
    if marked:
        sector.pack_marker(clean, 0, 0, 0, CARD)
    put_back(path, b"\xff" * 0x8000 + entry + b"\xff" * (PARTITION_AT - 0x8000 - len(entry)))
    with open(path, "ab") as image:
        for _ in range(sectors):
            image.write(clean)


def power_on(path, recover=True, **options):
    """Switch the board on and open the log, as the application does. Returns (log, partition)."""
    board.reset(flash_path=path, **options)
    (partition,) = esp32.Partition.find(esp32.Partition.TYPE_DATA, label="recordings")
    return SectorLog(partition, Clock(), Log(), ledger_folder=os.getcwd(), recover=recover), partition


def put_back(path, image):
    """Make a flash image what it was, without the bits that cuts have left in between since."""
    with open(path, "wb") as file:
        file.write(image)
    try:
        os.remove(path + ".marginal")
    except OSError:
        pass


def content(path):
    with open(path, "rb") as file:
        return file.read()


def counts():
    return board.flash.regions[0].counts


def file_of(log, recording):
    """The recording's file as a host would get it."""
    whole = bytearray()
    buffer = bytearray(sector.SECTOR_BYTES)
    for number in log.sectors_of(recording):
        log.read_sector(number, buffer)
        whole.extend(buffer)
    return bytes(whole)
