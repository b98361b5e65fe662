"""A card for tests of the link: small recordings on an image that is made at once, and what lies on its flash at any time."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from soak.kinds import Kind
from voicecard.device.client import CardLink
from voicecard.device.emulate import RunningCard, running_card
from voicecard.device.image import build_flash_image
from voicecard.device.partitions import partitions
from voicecard.errors import DeviceError
from voicecard.firmware.wire import block, sector

CARD = "k3f92b"
FLASH_BYTES = 4 << 20
_LAST_WORDS = 1500
_START_S = 60.0
_FILLER = 0x7E  # a kind of block that readers pass over
_SAMPLES = 4800
_PAYLOAD_BYTES = sector.PAGE_BYTES - block.BLOCK_HEADER_BYTES


@dataclass(frozen=True, slots=True)
class Recording:
    """`data`: its file. `at`: the number of its first sector on flash."""

    number: int
    nonce: bytes
    data: bytes
    at: int

    @property
    def digest(self) -> bytes:
        return hashlib.sha256(self.data).digest()

    @property
    def key(self) -> tuple[str, int, str]:
        return CARD, self.number, self.nonce.hex()


def make_recordings(sectors: Sequence[int]) -> list[Recording]:
    """Finished recordings of so many sectors each, one after the other on flash, full of bytes that are no sound."""
    made, at = [], 0
    for number, count in enumerate(sectors, start=1):
        random = Random(number)
        nonce = random.randbytes(8)
        data = b"".join(_sectors(random, number, nonce, count))
        made.append(Recording(number, nonce, data, at))
        at += count
    return made


def _sectors(random: Random, number: int, nonce: bytes, count: int) -> Iterator[bytes]:
    head = block.Head(CARD, "0.1.0", number, 1, 1_000_000 * number, 0, 0, 16000, 480, block.CODEC_IMA_ADPCM, 0, "{}")
    for index in range(count):
        raw = bytearray(b"\xff" * sector.SECTOR_BYTES)
        sector.pack_marker(raw, 1, number - 1, 1, CARD)
        sector.pack_header(raw, number, index, 1, nonce, 1_000_000 * number + index)
        for page in range(sector.BLOCKS_AT, sector.SECTOR_BYTES, sector.PAGE_BYTES):
            packed = block.pack_block(_FILLER, 0, random.randbytes(random.choice((_PAYLOAD_BYTES, 40))))
            if index == 0 and page == sector.BLOCKS_AT:
                packed = block.pack_block(block.HEAD, 0, block.pack_head(head))
            if index == count - 1 and page == sector.SECTOR_BYTES - sector.PAGE_BYTES:
                packed = block.pack_block(block.END, _SAMPLES, block.pack_end(block.End(block.END_KEY, 0, 0, 0)))
            raw[page : page + len(packed)] = packed
        yield bytes(raw)


def make_image(path: Path, recordings: Sequence[Recording], flash_bytes: int = FLASH_BYTES) -> None:
    """The flash of a card that holds these recordings. Raises ValueError if they have no room in it."""
    build_flash_image(path, flash_bytes, CARD, seed=1)
    ended = sector.pack_cell(sector.ENDED, bytes((block.END_KEY, 0, 0, 0)) + _SAMPLES.to_bytes(4, "little"))
    start, room = partitions(path)["recordings"].offset, partitions(path)["recordings"].size
    if sum(len(recording.data) for recording in recordings) > room:
        raise ValueError(f"the recordings need more than {room} bytes: give them a larger flash")
    with path.open("r+b") as image:
        for recording in recordings:
            raw = bytearray(recording.data)
            for index in sector.CELLS_OF[sector.ENDED]:
                raw[sector.cell_at(index) : sector.cell_at(index) + sector.CELL_BYTES] = ended
            image.seek(start + recording.at * sector.SECTOR_BYTES)
            image.write(raw)


class Bench:
    """A card that runs with its cable in, on an image that can be looked into meanwhile."""

    def __init__(self, card: RunningCard, flash: Path, recordings: list[Recording]) -> None:
        self.recordings = recordings
        self.card = card
        self.port = str(card.port(_START_S))
        self._flash = flash
        self._start = partitions(flash)["recordings"].offset

    def follow(self) -> None:
        """The card has been told to restart: it comes up on another port."""
        self.port = str(self.card.port(_START_S))

    def forget(self) -> None:
        """Make the card as it was before any host proved anything: its states are read from flash, each time."""
        with self._flash.open("r+b") as image:
            for recording in self.recordings:
                for kind in (sector.SAFE, sector.SINCE):
                    for index in sector.CELLS_OF[kind]:
                        image.seek(self._place(recording, sector.cell_at(index)))
                        image.write(b"\xff" * sector.CELL_BYTES)

    def held_by(self, library: str) -> list[Recording]:
        """The recordings that flash says this library holds."""
        return [recording for recording in self.recordings if bytes.fromhex(library) in self.holders(recording)]

    def last_words(self) -> str:
        """What the card said, if it has ended though nobody wished it."""
        try:
            return f"the card ended: {self.card.report(0.1).console[-_LAST_WORDS:]}"
        except DeviceError as error:
            return "\n".join((str(error), *error.__notes__))[-_LAST_WORDS:] if hasattr(error, "__notes__") else ""

    def log(self) -> list[str]:
        """What the card has noted, if it answers."""
        try:
            with CardLink.open(self.port) as link:
                return link.log()
        except DeviceError:
            return []

    def is_untouched(self) -> bool:
        """Whether the recordings on flash are what they were, states aside."""
        with self._flash.open("rb") as image:
            for recording in self.recordings:
                image.seek(self._place(recording, 0))
                raw = bytearray(image.read(len(recording.data)))
                sector.blank_cells(raw)
                if raw != recording.data:
                    return False
        return True

    def memory_bytes(self) -> int:
        """What the card's process takes; 0 where the system does not tell."""
        children = Path(f"/proc/{os.getpid()}/task").glob("*/children")
        found = [Path(f"/proc/{pid}/status").read_text() for one in children for pid in one.read_text().split()]
        sizes = [line.split()[1] for status in found for line in status.splitlines() if line.startswith("VmRSS:")]
        return max((1024 * int(size) for size in sizes), default=0)

    def holders(self, recording: Recording) -> set[bytes]:
        """The libraries that flash says hold it."""
        with self._flash.open("rb") as image:
            image.seek(self._place(recording, 0))
            return {cell.library for cell in sector.cells_of(image.read(sector.SECTOR_BYTES), sector.SAFE)}

    def _place(self, recording: Recording, offset: int) -> int:
        return self._start + recording.at * sector.SECTOR_BYTES + offset


@contextmanager
def running_bench(folder: Path, sectors: Sequence[int], kind: Kind) -> Iterator[Bench]:
    """A card with recordings of so many sectors each, while the block runs; its image lies in `folder`."""
    recordings = make_recordings(sectors)
    flash = folder / "card.img"
    make_image(flash, recordings)
    with running_card(kind.options(flash)) as card:
        yield Bench(card, flash, recordings)


def scratch_folder() -> Path | None:
    """Where files cost no disk: what is synced there is as good as on one, unless the machine itself stops."""
    memory = Path("/dev/shm")
    return memory if memory.is_dir() and os.access(memory, os.W_OK) else None
