"""How full an emulated card's storage is: sectors of which the card can make nothing are set aside, and hold no recordings."""

from __future__ import annotations

from pathlib import Path

from voicecard.device.partitions import partitions
from voicecard.firmware.wire.sector import BLANK, SECTOR_BYTES, pack_marker, read_header, read_marker

_FILLER = b"This sector is taken by nobody's recording. ".ljust(64, b".") * (SECTOR_BYTES // 64)


def fill(image: Path, percent: int) -> None:
    """Take or give back sectors until `percent` of the storage is used, by recordings or by filler; recordings stay.

    Only while the card is off. Sectors that are neither clean nor filler are left alone."""
    region = partitions(image)["recordings"]
    with image.open("r+b") as file:
        file.seek(region.offset)
        storage = file.read(region.size)
        sectors = [storage[at : at + SECTOR_BYTES] for at in range(0, region.size, SECTOR_BYTES)]
        clean = [index for index, sector in enumerate(sectors) if _is_clean(sector)]
        filled = [index for index, sector in enumerate(sectors) if sector == _FILLER]
        wanted = len(sectors) * percent // 100 - (len(sectors) - len(clean) - len(filled))
        change = max(0, wanted) - len(filled)
        card = next((marker.card for sector in sectors if (marker := read_marker(sector))), "")
        for index in clean[len(clean) - change :] if change > 0 else ():
            file.seek(region.offset + index * SECTOR_BYTES)
            file.write(_FILLER)
        for index in filled[: max(0, -change)]:
            file.seek(region.offset + index * SECTOR_BYTES)
            file.write(_clean_sector(card))


def _is_clean(sector: bytes) -> bool:
    return read_marker(sector) is not None and read_header(sector) is None


def _clean_sector(card: str) -> bytes:
    sector = bytearray([BLANK]) * SECTOR_BYTES
    pack_marker(sector, 1, 0, 0, card)
    return bytes(sector)
