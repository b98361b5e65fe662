"""What the screen shows in each state of the card, as plain data, and the task that keeps it true."""

import asyncio
import time

from micropython import const

from card import board, gestures
from card.ui import screens
from card.ui.glow import BRIGHT, CONTRASTS, DARK, Glow, beat
from wire import block

try:
    from card.ui.display import Display
except ImportError:  # a card without the driver works all the same
    Display = None  # type: ignore

_SCREEN_MS = const(200)
_FULL_LEVEL = const(6000)  # mean absolute level of loud speech: a full bar
_LEVEL_STEP = const(4)  # percent: finer than a pixel or two needs no new drawing
_LITTLE_ROOM_S = const(15 * 60)  # is told once, for a while
_NO_ROOM_S = const(5 * 60)  # is told until the end
_WARN_MS = const(10_000)
PAGES = const(5)  # of the status, see pages.py
_HINTS = {gestures.PAUSED: "hold REC: go on", gestures.WITHHELD: "tap MEMO: go on"}


class Warning:
    """Whether the room left to a recording calls for a warning now."""

    def __init__(self):
        self._session = None
        self._since_ms = None

    def forget(self):
        """There is no recording: its memory is wanted for other things."""
        self._session = None

    def step(self, session, seconds_left, now_ms):
        if session is not self._session:
            self._session = session
            self._since_ms = None
        if seconds_left > _LITTLE_ROOM_S:
            return False
        if self._since_ms is None:
            self._since_ms = now_ms
        return seconds_left <= _NO_ROOM_S or time.ticks_diff(now_ms, self._since_ms) < _WARN_MS


def view(card, warning):
    """What is to be seen now: a function of screens.py, and what it draws."""
    if card.farewell:  # it stays until the next start draws, which one at the prompt never does
        return (screens.notice,) + card.farewell
    if card.session:
        return _recording(card, card.session, warning)
    if card.test_card:
        return (card.test_card,)
    warning.forget()
    if card.formatted is not None:
        return screens.notice, "formatting", "%d sectors" % card.formatted
    if card.page:
        return (screens.page,) + _page(card)
    if card.link_in_use():
        link = card.link
        return screens.connected, card.name, link.sectors_streamed, link.sectors_of_stream
    if card.making_room:
        return screens.notice, "making room", "one moment"
    if card.notice:
        return (screens.notice,) + card.notice
    minutes = card.store.seconds_left // 60
    is_low = card.situation == gestures.STORAGE_LOW
    return screens.idle, card.name, len(card.store.recordings), minutes, is_low, _power(card)


def _recording(card, session, warning):
    if session.skips is not None:
        return screens.standing, card.situation, session.elapsed_s, _HINTS[card.situation]
    level = min(100, session.mean * 100 // _FULL_LEVEL) // _LEVEL_STEP * _LEVEL_STEP
    seconds_left = session.seconds_left
    told = ""
    if session.hears_nothing:
        told = "mic? check wires"
    elif warning.step(session, seconds_left, time.ticks_ms()):
        told = "%d min left" % ((seconds_left + 59) // 60)
    sign = "MEMO" if session.kind == block.KIND_MEMO else "REC"
    marks, minutes = session.marks, seconds_left // 60
    return screens.recording, sign, session.elapsed_s, level, session.speech, marks, minutes, _power(card), told


def _page(card):
    """Loaded when they are first looked at: a board without PSRAM has better uses for its memory."""
    try:
        from card.pages import page

        title, lines = page(card, card.page)
    except MemoryError:
        title, lines = "status", ("out of memory",)
    return title, card.page, PAGES, lines


def _power(card):
    percent = card.power.battery.percent
    return "USB" if card.power.on_cable or percent is None else "%d%%" % percent


def _news(seen):
    """What of a view lights the screen when it changes: not the time, the level and the like."""
    draw = seen[0]
    if draw is screens.recording:
        return draw, seen[1], seen[-1]
    return (draw,) if draw in (screens.idle, screens.standing, screens.connected) else seen


class Painter:
    """Draws what is to be seen where it is another than what was, and lets the screen rest."""

    def __init__(self, display):
        screens.digits_for(display.height)
        self._display = display
        self._warning = Warning()
        self._glow = Glow()
        self._brightness = BRIGHT
        self._touches = 0
        self._drawn = None

    async def paint(self, card):
        seen = view(card, self._warning)
        if card.touches != self._touches:
            self._touches = card.touches
            self._glow.touch()
        brightness = self._glow.step(_news(seen), seen[0] is screens.notice)
        if brightness == DARK:
            number, lit = beat()
            seen = (screens.resting, number if card.session and lit else 0, bool(card.session) and lit)
        if brightness != self._brightness:
            self._brightness = brightness
            self._display.contrast(CONTRASTS[brightness])
        if seen != self._drawn:
            self._drawn = seen
            seen[0](self._display, *seen[1:])
            await self._display.refresh()


async def show(card):
    """Keep the screen true. A card without a display works all the same."""
    try:
        if Display is None:
            raise OSError("its driver is missing")
        display = Display(board.display_bus(), board.DISPLAY_WIDTH, card.settings["display_lines"])
        painter = Painter(display)
        card.has_display = True
        while not card.dark:
            await painter.paint(card)
            await asyncio.sleep_ms(_SCREEN_MS)
        display.poweroff()
    except (OSError, ValueError, MemoryError) as error:
        card.has_display = False
        card.log.note("no display: %r" % error)
