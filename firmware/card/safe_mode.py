"""Safe mode: after failed starts the link is served, so that recordings can be had, and nothing else is done."""

import asyncio

from micropython import const

from card import board, counters, gestures
from card.carrier import open_carrier
from card.core import Core
from card.link.server import LinkServer

_FEED_MS = const(200)


class SafeCard(Core):
    """The card without capture and recovery: nothing is written to the store but what a host asks for."""

    def __init__(self, root=""):
        super().__init__(root, recover=False)
        self.counters.add_boot(board.reset_cause())
        if self._starts_not_counted:  # else its owner has asked for it
            self.counters.add(counters.FAILED_STARTS, 1)  # the one that this start has taken back
        self.counters.save()

    def _activity(self):
        return "safe mode"

    def _open_store(self):
        try:
            super()._open_store()
        except Exception as error:  # it may be what is broken
            self.log.note("store: %r" % error)

    async def on_gesture(self, key, gesture):
        """Both keys held lead out of it; all else is for the application."""
        if gestures.action(gestures.SAFE_MODE, key, gesture) == gestures.RESTART:
            await self.restart()

    async def watch(self):
        while True:
            self.clock.us()
            self.watchdog.feed()
            await asyncio.sleep_ms(_FEED_MS)


async def tell(card):
    """Say so on the screen, if the screen still works."""
    try:
        from card.ui import screens
        from card.ui.display import Display

        display = Display(board.display_bus(), board.DISPLAY_WIDTH, card.settings["display_lines"])
        screens.notice(display, "safe mode", "plug in")
        await display.refresh()
    except Exception as error:  # it may be what is broken
        card.log.note("no display: %r" % error)


async def signal():
    """Say so by the LED or the motor as well, if those still work."""
    try:
        from card.ui.signal import STEP_MS, Signal

        pin, pattern = board.signal(), Signal(True)
        while True:
            pin.value(pattern.step("safe mode"))
            await asyncio.sleep_ms(STEP_MS)
    except Exception:  # it may be what is broken, and there is no better place to tell
        pass


async def listen(card):
    """Watch the keys, if that still works."""
    try:
        from card.ui import keys

        await keys.watch(board.keys(), card.on_gesture)
    except Exception as error:  # it may be what is broken
        card.log.note("no keys: %r" % error)


async def main():
    card = SafeCard()
    card.link = LinkServer(open_carrier(card.name), card)
    await asyncio.gather(card.watch(), card.link.run(), tell(card), listen(card), signal())


def run():
    asyncio.run(main())
