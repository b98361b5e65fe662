"""Finding cards: real boards by their USB identity, running emulators by their registry."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from serial.tools import list_ports
from serial.tools.list_ports_common import ListPortInfo

from voicecard.device import registry
from voicecard.device.client import CardLink
from voicecard.errors import DeviceError, NoCardError, UsageError

USB_IDENTITIES = ((0x303A, 0x4001), (0x303A, 0x1001))  # MicroPython on an ESP32-S3; the chip's USB-JTAG port
PRODUCT, LINK_INTERFACE = "voicecard", "voicecard link"  # what a card with the carrier `usb` is called
_LISTINGS = 3
_BETWEEN_LISTINGS_S = 0.05


@dataclass(frozen=True, slots=True, order=True)
class Candidate:
    """A port where a card may be. `kind`: usb or emulator; `is_card`: it says so itself, otherwise asking it decides;
    `made`: changes whenever the system makes the port anew, or changes who may use it."""

    port: str
    kind: str
    is_card: bool
    made: tuple[int, ...] = ()


def candidates() -> list[Candidate]:
    """Ports to ask, emulators first."""
    emulators = [Candidate(e.port, "emulator", True, _made(e.port)) for e in registry.running()]
    return emulators + boards(serial_ports())


def at(port: str) -> list[Candidate]:
    """The port that somebody has named, if it is there."""
    return [Candidate(port, "usb", True, _made(port))] if Path(port).exists() else []


def boards(ports: Iterable[ListPortInfo]) -> list[Candidate]:
    """Of a board that has a port for the link, that one; the REPL's port beside it is its owner's and is left alone."""
    devices: dict[tuple[object, ...], list[ListPortInfo]] = {}
    for port in sorted(ports):
        if (port.vid, port.pid) in USB_IDENTITIES:
            plug = (port.location or "").partition(":")[0]  # Linux adds the interface
            devices.setdefault((port.vid, port.pid, port.serial_number, plug), []).append(port)
    return [
        Candidate(port.device, "usb", _says_card(port), _made(port.device))
        for device in devices.values()
        for port in _to_ask(device)
    ]


def meet(candidate: Candidate) -> CardLink:
    """Open the port and greet the card; anything else there is asked once, harmlessly. Raises NoCardError."""
    if candidate.kind == "emulator":
        return CardLink.open(candidate.port)
    return CardLink.open(candidate.port, once=True)


def open_card(port: str | None) -> CardLink:
    """Open the card on `port`, or the only one there is. Raises NoCardError for none, UsageError for several."""
    if port is not None:
        return CardLink.open(port)
    found = candidates()
    found = [c for c in found if c.is_card] or found
    if not found:
        raise NoCardError("no card found: plug one in over USB, or start an emulated one with `voicecard emulate`")
    if len(found) > 1:
        ports = ", ".join(c.port for c in found)
        raise UsageError(f"several cards may be plugged in ({ports}): choose one with --port")
    return meet(found[0])


@dataclass(frozen=True, slots=True)
class Probed:
    """What answered at a port: a card and its firmware version, or a note why none did."""

    port: str
    kind: str
    card: str | None
    firmware: str | None
    note: str


def probe_all() -> list[Probed]:
    """Ask every candidate port who it is. An emulator is not asked: it would take the visit for the sync it waits for."""
    return [_probe(candidate) for candidate in candidates()]


def _probe(candidate: Candidate) -> Probed:
    if candidate.kind == "emulator":
        return Probed(candidate.port, candidate.kind, None, None, "emulated card")
    try:
        with meet(candidate) as link:
            return Probed(candidate.port, candidate.kind, link.hello.card, link.hello.firmware, "")
    except DeviceError as error:
        return Probed(candidate.port, candidate.kind, None, None, str(error))


def serial_ports() -> list[ListPortInfo]:
    """All serial ports of this machine, empty when the system does not tell."""
    for _ in range(_LISTINGS):
        with suppress(TypeError, ValueError, OSError):  # pyserial stumbles over a device that goes while it looks
            return list(list_ports.comports())
        time.sleep(_BETWEEN_LISTINGS_S)
    return []


def _to_ask(ports: Sequence[ListPortInfo]) -> Sequence[ListPortInfo]:
    """Which of one device's ports, in their natural order, may be the link."""
    links = [port for port in ports if port.interface == LINK_INTERFACE]
    if links and len(links) < len(ports):
        return links
    if not any(_says_card(port) for port in ports):
        return ports
    if len(ports) > 1:
        return ports[-1:]  # macOS has one name for both: the link's interface is behind the REPL's
    return links  # perhaps the REPL's port alone, as long as the other is on its way


def _says_card(port: ListPortInfo) -> bool:
    return port.product == PRODUCT or port.interface == LINK_INTERFACE


def _made(path: str) -> tuple[int, ...]:
    """Empty when the port is gone. Linux dates a device file when it makes it and when permissions change, macOS at every write."""
    try:
        about = Path(path).stat()
    except OSError:
        return ()
    return about.st_ino, about.st_rdev, about.st_ctime_ns if sys.platform == "linux" else 0
