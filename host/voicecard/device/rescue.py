"""An image of a card's whole storage, over the link or out of a flash dump."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from voicecard.device.client import CardLink
from voicecard.device.partitions import SECTOR_BYTES, recordings_region
from voicecard.errors import DeviceError, UsageError

Progress = Callable[[str, int, int], None]
_COPY_BYTES = 1 << 20


def pull_image(link: CardLink, path: Path, on_progress: Progress | None = None) -> int:
    """Pull the card's storage to `path`, which appears when it is whole; returns its sectors.

    What has arrived stays in a `.part` file, from whose end the next attempt goes on. Raises LinkLostError, DeviceError."""
    part = path.with_name(f"{path.name}.{link.hello.card or 'card'}.part")
    sectors = link.image_sectors()
    try:
        with part.open("ab") as file:
            done = min(file.tell() // SECTOR_BYTES, sectors)
            file.truncate(done * SECTOR_BYTES)
            for sector in link.image(done, sectors):
                file.write(sector)
                done += 1
                if on_progress:
                    on_progress("storage", done * SECTOR_BYTES, sectors * SECTOR_BYTES)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from error
    return sectors


def copy_image(dump: Path, path: Path) -> int:
    """Copy the recordings partition out of a flash dump to `path`; returns its sectors. Raises DeviceError, UsageError."""
    offset, size = recordings_region(dump)
    if path.exists() and path.samefile(dump):
        raise UsageError(f"{path} is the dump itself: give another name for the image")
    part = path.with_name(f"{path.name}.part")
    try:
        with dump.open("rb") as source, part.open("wb") as target:
            source.seek(offset)
            left = size
            while left and (piece := source.read(min(left, _COPY_BYTES))):
                target.write(piece)
                left -= len(piece)
            target.flush()
            os.fsync(target.fileno())
        part.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from error
    return size // SECTOR_BYTES


def _unwritable(path: Path, error: OSError) -> DeviceError:
    return DeviceError(f"the image {path} cannot be written ({error.strerror}): make room or give another path")
