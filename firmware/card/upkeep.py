"""What the card does by itself, beside its owner: room is kept, counters are saved, the battery is watched, and it falls asleep."""

import asyncio
import time

from micropython import const

from card import board, counters
from card.core import Core
from card.errors import CardError
from card.power import Power

_WATCH_MS = const(200)
_UP_MS = const(2000)  # so long must the application have run for its start to count as a good one
_ROOM_MS = const(1000)
_COUNT_MS = const(60_000)
_DARK_MS = const(400)  # for the screen to go dark
_BETWEEN_ERASES_MS = const(100)  # each stops everything for 45 ms: in between a short tap must be seen
LITTLE_ROOM_S = const(120)
_BATTERY_STEP_MV = const(50)  # finer than this is noise, and would wear the file system
_ASLEEP = ("asleep", "any key wakes")


class Upkeep(Core):
    """The card without keys and sound. `session`: the recording that is under way, or None."""

    def __init__(self, root=""):
        super().__init__(root)
        self._starts_not_counted = max(0, self._starts_not_counted - 1)  # this one is under way
        self.counters.add_boot(board.reset_cause())
        self.power = Power(self.log)
        self.clock.go_on(board.remembered())
        self.session = None
        self.making_room = False
        self.dark = False  # the screen shall be off
        self.recount = False  # as soon as nothing is going on
        self._up = False
        self._counted_ms = None

    async def end_for_low_battery(self):
        """The battery is about to end."""
        raise NotImplementedError

    def link_in_use(self):
        return self.link is not None and self.link.in_use()

    def busy(self):
        """Whether nothing may be erased in the background."""
        return self.occupied() or self.link_in_use()

    def occupied(self):
        return self.session is not None or self.making_room or super().occupied()

    async def keep_room(self):
        """While idle, and no host at work, finish removals and keep the pool of clean sectors full."""
        while True:
            await asyncio.sleep_ms(_ROOM_MS)
            if self.store and not self.busy():
                await self._tidy(self.store, self.busy)

    async def make_room(self, store):
        """A recording needs room now: erase first, and show it."""
        self.making_room = True
        await self._tidy(store, lambda: store.seconds_left >= LITTLE_ROOM_S or self.link_in_use())
        self.making_room = False

    async def _tidy(self, store, enough):
        """One erase at a time until `enough()`; what is left half done is finished the next time."""
        policy = self.settings
        try:
            for _ in store.tidy(policy["remove"], policy["clean_percent"], policy["remove_after_days"]):
                await asyncio.sleep_ms(_BETWEEN_ERASES_MS)
                if enough():
                    return
        except (CardError, OSError) as error:
            self.log.note("room: %r" % error)

    async def watch(self):
        """Keep the clock from missing a wrap of the ticks; feed the watchdog, unless a recording does; count, while idle."""
        began_ms = time.ticks_ms()
        while True:
            self.clock.us()
            if not self.session:
                self.watchdog.feed()
            await self._watch_power()
            if not self.occupied():
                if not self._up and time.ticks_diff(time.ticks_ms(), began_ms) >= _UP_MS:
                    self.come_up()
                if self._up:
                    self._keep_counters()
            await asyncio.sleep_ms(_WATCH_MS)

    async def _watch_power(self):
        """End a recording before the battery does; sleep when nothing has been done for long."""
        if self.power.step() and self.power.low:
            await self.end_for_low_battery()
        if self.link_in_use():
            self.power.touch()
        if self._up and not self.occupied() and self.power.may_sleep(self.settings["sleep_after_min"]):
            await self._sleep()

    async def _sleep(self):
        """What was counted and what time it is are kept; the card starts again when it is woken."""
        self.farewell = _ASLEEP
        self.count()
        self.counters.save()
        await asyncio.sleep_ms(_DARK_MS)
        self.dark = True
        await asyncio.sleep_ms(_DARK_MS)
        board.remember(self.clock.to_bytes())
        board.sleep()

    def come_up(self):
        """The start was a good one. It is noted before the first recording, during which no file is written."""
        if not self._up:
            self._up = True
            self._came_up()

    def _keep_counters(self):
        """Each minute, and after a recording: measure the battery and save what has changed."""
        now_ms = time.ticks_ms()
        is_due = self._counted_ms is None or time.ticks_diff(now_ms, self._counted_ms) >= _COUNT_MS
        if not (is_due or self.recount):
            return
        self._counted_ms, self.recount = now_ms, False
        battery_mv = self.power.battery.mv
        if battery_mv:
            self.counters.lowest(counters.LOWEST_BATTERY_MV, battery_mv // _BATTERY_STEP_MV * _BATTERY_STEP_MV)
        self.count()
        self.counters.save()
