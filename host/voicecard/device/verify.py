"""Whether the application on a card is the one that this program carries, file by file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from voicecard.device.application import COMPILED, PINS, application_files, firmware_folder
from voicecard.device.client import CardLink
from voicecard.errors import DeviceError

_FEATURE = "files"


@dataclass(frozen=True, slots=True)
class Difference:
    """A file that is not as in the release. `what`: missing, changed, or extra."""

    path: str
    what: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """`own_pins`: the card's pin map is its own, which is no difference. `mpy`: `sys.implementation._mpy` of its MicroPython."""

    files: int
    compiled: bool
    differences: tuple[Difference, ...]
    own_pins: bool
    mpy: int


def verify(link: CardLink) -> Verdict:
    """Compare the card's files with this program's by SHA-256. Raises DeviceError if the card cannot tell."""
    if _FEATURE not in link.hello.features:
        raise DeviceError(f"the firmware of the card {link.hello.card} cannot tell its files: flash it again")
    runs = link.application()
    there, compiled = runs.files, COMPILED in runs.files
    release = {
        path: (len(content), hashlib.sha256(content).hexdigest())
        for path, content in application_files(firmware_folder(), compiled).items()
    }
    own_pins = PINS in there and there[PINS] != release[PINS]
    found = [Difference(path, "missing") for path in release if path not in there]
    found += [Difference(path, "extra") for path in there if path not in release]
    found += [
        Difference(path, "changed")
        for path in release
        if path in there and there[path] != release[path] and path != PINS
    ]
    return Verdict(len(there), compiled, tuple(sorted(found, key=lambda one: one.path)), own_pins, runs.mpy)
