"""Erasing a card: asked for in so many words, followed to its end."""

from __future__ import annotations

import time
from collections.abc import Callable

from voicecard.device.client import CardLink
from voicecard.errors import DeviceError

Progress = Callable[[str, int, int], None]

_POLL_S = 0.2
_STANDSTILL_S = 60.0  # a sector takes 0.4 s at worst


def format_card(link: CardLink, on_progress: Progress | None = None) -> str:
    """Erase all recordings and wait until that is done; returns the card's new name. Raises DeviceError if it fails."""
    sectors = link.format()
    done, moved_at = 0, time.monotonic()
    while (status := link.status()).get("state") == "formatting":
        now, before = time.monotonic(), done
        done = status.get("formatted", 0)
        if done != before:
            moved_at = now
        elif now - moved_at > _STANDSTILL_S:
            raise DeviceError(
                f"the card stands still at sector {done} of {sectors}: switch it off and on, and format again"
            )
        if on_progress:
            on_progress("erased", done, sectors)
        time.sleep(_POLL_S)
    if status.get("state") == "fault":
        raise DeviceError("the card could not erase its storage: `voicecard doctor` tells what its log says, try again")
    return link.greet().card
