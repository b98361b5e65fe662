"""What the screen shows in each state of the card."""

import asyncio
import time

from micropython import const

from card import board
from card.ui import screens

try:
    from card.ui.display import Display
except ImportError:  # a card without the driver works all the same
    Display = None  # type: ignore

_SCREEN_MS = const(200)
_FULL_LEVEL = const(6000)  # mean absolute level of loud speech: a full bar
_LITTLE_ROOM_S = const(15 * 60)  # is told once, for a while
_NO_ROOM_S = const(5 * 60)  # is told until the end
_WARN_MS = const(10_000)


PAGES = const(4)  # of the status: storage, last recording, clock and battery, version


class Warning:
    """Whether the room left to a recording calls for a warning now."""

    def __init__(self):
        self._session = None
        self._since_ms = None

    def step(self, session, seconds_left, now_ms):
        if session is not self._session:
            self._session = session
            self._since_ms = None
        if seconds_left > _LITTLE_ROOM_S:
            return False
        if self._since_ms is None:
            self._since_ms = now_ms
        return seconds_left <= _NO_ROOM_S or time.ticks_diff(now_ms, self._since_ms) < _WARN_MS


def draw(card, display, warning):
    """Draw the screen of the card's state."""
    store, session = card.store, card.session
    if card.farewell:  # it stays until the next start draws, which one at the prompt never does
        screens.notice(display, *card.farewell)
    elif session and session.skips is not None:
        screens.notice(display, card.situation, "%d:%02d" % (session.elapsed_s // 60, session.elapsed_s % 60))
    elif session:
        level = min(100, session.mean * 100 // _FULL_LEVEL)
        seconds_left = session.seconds_left
        warn = warning.step(session, seconds_left, time.ticks_ms())
        screens.recording(display, session.elapsed_s, level, session.speech, session.marks, seconds_left, warn)
    elif card.formatted is not None:
        screens.notice(display, "formatting", "%d sectors" % card.formatted)
    elif card.link_in_use():
        screens.connected(display, card.name, card.link.sent_sectors)
    elif card.making_room:
        screens.notice(display, "making room", "one moment")
    elif card.notice:
        screens.notice(display, *card.notice)
    else:
        screens.idle(display, card.name, len(store.recordings), store.seconds_left // 60)


async def show(card):
    """Keep the screen true. A card without a display works all the same."""
    try:
        if Display is None:
            raise OSError("its driver is missing")
        display = Display(board.display_bus(), board.DISPLAY_WIDTH, board.DISPLAY_HEIGHT)
        warning = Warning()
        while True:
            if card.dark:
                display.poweroff()
                return
            draw(card, display, warning)
            await display.refresh()
            await asyncio.sleep_ms(_SCREEN_MS)
    except (OSError, ValueError, MemoryError) as error:
        card.log.note("no display: %r" % error)
