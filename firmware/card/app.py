"""The application: what the keys do, what the screen shows, and the tasks that run."""

import asyncio
import gc

from card import board, boots, settings
from card.capture.gain import make_gain
from card.clock import Clock
from card.errors import CardError, NotPrepared
from card.link.server import LinkServer
from card.link.stdio import Stdio
from card.log import Log
from card.session import Session
from card.store.log import SectorLog
from card.ui import keys, screens
from wire import block

VERSION = "0.1.0"
_SCREEN_MS = 200
_ROOM_MS = 1000
_BETWEEN_ERASES_MS = 100  # an erase stops everything for 45 ms: between two of them a short tap must still be seen
_LITTLE_ROOM_S = 120
_FULL = ("storage full", "plug in, sync")
_NOTICES = {block.END_STORAGE_FULL: _FULL, block.END_FAULT: ("flash fault", "plug in, sync")}
_FULL_LEVEL = 6000  # mean absolute level of loud speech: a full bar


class Card:
    """The card's parts and its state: `session` is the recording that runs, or None."""

    def __init__(self):
        self.log = Log()
        self.clock = Clock()
        self.settings = settings.load(self.log)
        self.version = VERSION
        self.gain = make_gain(self.settings["gain_db"])
        self.lost_samples = 0
        self.store = None
        self.session = None
        self.starting = None
        self.making_room = False
        self.link = None  # the server, once it runs
        self.notice = None  # (title, remedy) that the screen shows until the next key
        self.boot = boots.read() + 1
        self._pressed_at = {}  # key: position in the recording when it went down
        self._open_store()
        self.name = self.store.card if self.store else ""
        boots.write(self.boot)

    def _open_store(self):
        partition = board.partition("recordings")
        try:
            if partition is None:
                raise NotPrepared("no partition for recordings")
            self.store = SectorLog(partition, self.clock, self.log, self.boot - 1)
            self.boot = self.store.boot
        except CardError as error:
            self.log.note("store: %s" % error)
            self.notice = ("not prepared", "flash the card")

    @property
    def state(self):
        if self.session:
            return "recording"
        return "idle" if self.store else "fault"

    def status(self):
        store = self.store
        return {
            "state": self.state,
            "sectors": store.sectors if store else 0,
            "clean": store.clean_sectors if store else 0,
            "seconds_left": store.seconds_left if store else 0,
            "recordings": len(store.recordings) if store else 0,
            "lost_samples": self.lost_samples,
            "boot": self.boot,
            "ticks_us": self.clock.us(),
            "wall_ms": self.clock.wall_ms(),
        }

    async def on_gesture(self, key, gesture):
        """A tap of `rec` starts and stops, and the recording ends where the key went down; `memo` marks the moment."""
        if gesture == keys.PRESS:
            self._pressed_at[key] = self.session.position if self.session else 0
        elif key == "rec" and gesture == keys.TAP:
            if self.session:
                self.session.finish(self._pressed_at["rec"], block.END_KEY)
                await self._ended(self.session)
            else:
                self.starting = asyncio.create_task(self._start())  # it may have to make room: the keys must go on
        elif key == "memo" and gesture == keys.TAP and self.session:
            self.session.mark(self._pressed_at[key])

    async def keep_room(self):
        """While idle, and no host at work, finish removals and keep the pool of clean sectors full."""
        while True:
            await asyncio.sleep_ms(_ROOM_MS)
            if self.store and not self.busy():
                await self._tidy(self.store, self.busy)

    def link_in_use(self):
        return self.link is not None and self.link.in_use()

    def busy(self):
        return self.session is not None or self.making_room or self.link_in_use()

    async def _make_room(self, store):
        """A recording needs room now: erase first, and show it."""
        self.making_room = True
        await self._tidy(store, lambda: store.seconds_left >= _LITTLE_ROOM_S or self.link_in_use())
        self.making_room = False

    async def _tidy(self, store, enough):
        """One erase at a time until `enough()`; what is left half done is finished the next time."""
        try:
            for _ in store.tidy(self.settings["remove"], self.settings["clean_percent"]):
                await asyncio.sleep_ms(_BETWEEN_ERASES_MS)
                if enough():
                    return
        except (CardError, OSError) as error:
            self.log.note("room: %r" % error)

    async def _start(self):
        if not self.store or self.making_room:
            return
        if self.store.seconds_left < _LITTLE_ROOM_S and not self.link_in_use():
            await self._make_room(self.store)
        if not self.store.seconds_left:
            self.notice = _FULL
            return
        try:
            i2s = board.microphone()
        except (OSError, ValueError) as error:
            self.log.note("microphone: %r" % error)
            self.notice = ("no microphone", "check wiring")
            return
        self.notice = None
        self.session = Session(self, i2s)
        self.session.start()

    async def _ended(self, session):
        await session.task
        self.notice = _NOTICES.get(session.reason)
        if self.session is session:
            self.session = None

    async def watch_clock(self):
        """Keep the clock from missing a wrap of the ticks, and notice a recording that ended by itself."""
        while True:
            self.clock.us()
            if self.session and self.session.task.done():
                await self._ended(self.session)
            await asyncio.sleep_ms(_SCREEN_MS)


def draw(card, display):
    """Draw the screen of the card's state."""
    store, session = card.store, card.session
    minutes_left = store.seconds_left // 60 if store else 0
    if session:
        level = min(100, session.mean * 100 // _FULL_LEVEL)
        screens.recording(display, session.elapsed_s, level, session.speech, session.marks, minutes_left)
    elif card.link_in_use():
        screens.connected(display, card.name, card.link.sent_sectors)
    elif card.making_room:
        screens.notice(display, "making room", "one moment")
    elif card.notice:
        screens.notice(display, *card.notice)
    else:
        screens.idle(display, card.name, len(store.recordings), minutes_left)


async def show(card):
    """Keep the screen true. A card without a display works all the same."""
    try:
        from card.ui.display import Display

        display = Display(board.display_bus(), board.DISPLAY_WIDTH, board.DISPLAY_HEIGHT)
        while True:
            draw(card, display)
            await display.refresh()
            await asyncio.sleep_ms(_SCREEN_MS)
    except (OSError, ValueError, ImportError) as error:
        card.log.note("no display: %r" % error)


async def main():
    gc.collect()  # what compiling the modules left behind lies between large buffers
    card = Card()
    server = LinkServer(Stdio(*board.stdio()), card)
    card.link = server
    watch_keys = keys.watch(board.keys(), card.on_gesture)
    await asyncio.gather(watch_keys, card.watch_clock(), card.keep_room(), show(card), server.run())


def run():
    asyncio.run(main())
