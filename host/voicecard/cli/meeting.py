"""A card at hand, for commands that do not sync: it is told the time, and the library learns what its ticks mean."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from voicecard.errors import LibraryError

if TYPE_CHECKING:
    from voicecard.device.client import CardLink


@contextmanager
def met_card(port: str | None) -> Iterator[CardLink]:
    """The card on `port`, or the only one there is. A library that is not there, or busy, is left alone."""
    from voicecard.device.find import open_card
    from voicecard.library.archive import Library, default_path
    from voicecard.sync import remember_clock

    with open_card(port) as link:
        link.set_clock()
        with suppress(LibraryError):
            if (default_path() / "library.json").exists():
                with Library() as shelf:
                    remember_clock(link, shelf)
        yield link
