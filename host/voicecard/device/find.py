"""Finding cards: real boards by their USB identity, running emulators by their registry."""

from __future__ import annotations

from dataclasses import dataclass

from serial.tools import list_ports

from voicecard.device import registry
from voicecard.device.client import CardLink
from voicecard.errors import DeviceError, NoCardError, UsageError

_USB_IDENTITIES = frozenset({(0x303A, 0x4001), (0x303A, 0x1001)})  # MicroPython on an ESP32-S3; its USB-JTAG port


@dataclass(frozen=True, slots=True)
class Candidate:
    """A port where a card may be: its USB identity says only "a MicroPython S3", so that asking it decides."""

    port: str
    kind: str  # "usb" or "emulator"


def candidates() -> list[Candidate]:
    """Ports to ask, emulators first."""
    emulators = [Candidate(emulator.port, "emulator") for emulator in registry.running()]
    boards = [Candidate(p.device, "usb") for p in list_ports.comports() if (p.vid, p.pid) in _USB_IDENTITIES]
    return emulators + sorted(boards, key=lambda c: c.port)


def open_card(port: str | None) -> CardLink:
    """Open the card on `port`, or the only one there is. Raises NoCardError for none, UsageError for several."""
    if port is not None:
        return CardLink.open(port)
    found = candidates()
    if not found:
        raise NoCardError("no card found: plug one in over USB, or start an emulated one with `voicecard emulate`")
    if len(found) > 1:
        ports = ", ".join(c.port for c in found)
        raise UsageError(f"several cards may be plugged in ({ports}): choose one with --port")
    return CardLink.open(found[0].port)


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
        with CardLink.open(candidate.port) as link:
            return Probed(candidate.port, candidate.kind, link.hello.card, link.hello.firmware, "")
    except DeviceError as error:
        return Probed(candidate.port, candidate.kind, None, None, str(error))
