"""The application: what the keys do, one recording after the other, and the tasks that run."""

import asyncio
import time

from micropython import const

from card import board, boots, counters, gestures
from card.capture.gain import make_gain
from card.capture.microphone import Microphone
from card.capture.recorder import FRAME_WORDS_BYTES
from card.carrier import open_carrier
from card.core import Core
from card.errors import CardError
from card.link.server import LinkServer
from card.power import Power
from card.screen import PAGES, show
from card.session import Session
from card.ui import keys
from wire import block

_WATCH_MS = const(200)
_UP_MS = const(2000)  # so long must the application have run for its start to count as a good one
_ROOM_MS = const(1000)
_COUNT_MS = const(60_000)
_DARK_MS = const(400)  # for the screen to go dark
_BETWEEN_ERASES_MS = const(100)  # each stops everything for 45 ms: in between a short tap must be seen
_LITTLE_ROOM_S = const(120)
_BATTERY_STEP_MV = const(50)  # finer than this is noise, and would wear the file system
_LOW_S = const(15 * 60)
_PAGE_MS = const(10_000)
_FULL = ("storage full", "plug in, sync")
_BATTERY_LOW = ("battery low", "plug in")
_ASLEEP = ("asleep", "any key wakes")
_SAFE_MODE = ("safe mode", "restarting")
_RESTARTS = ("watchdog", "reset")
_RECORDING_STOPPED = ("card restarted", "press REC again")  # its owner believes that it still records
_NOTICES = {
    block.END_STORAGE_FULL: _FULL,
    block.END_BATTERY_LOW: _BATTERY_LOW,
    block.END_FAULT: ("flash fault", "plug in, sync"),
}


class Card(Core):
    """The card as its owner knows it. `recording` is the task that records, `session` the recording it is at, or None."""

    def __init__(self, root=""):
        super().__init__(root)
        self._starts_not_counted = max(0, self._starts_not_counted - 1)  # this one is under way
        cause = board.reset_cause()
        self.counters.add_boot(cause)
        if cause in _RESTARTS and self.store and self.store.closed_recordings:
            self.notice = _RECORDING_STOPPED
        self.gain = make_gain(self.settings["gain_db"])
        self.power = Power(self.log)
        self.clock.go_on(board.remembered())
        self.session = None
        self.recording = None
        self.starting = None
        self.making_room = False
        self.has_display = False
        self.touches = 0  # of the keys, so far
        self.dark = False  # the screen shall be off
        self._up = False
        self._counted_ms = None  # None: as soon as nothing is going on
        self._pressed_at = {}  # key: position in the recording when it went down
        self._memo_held = False
        self._page, self._paged_ms = 0, time.ticks_ms()

    def _activity(self):
        return "recording" if self.session else super()._activity()

    def status(self):
        fields = super().status()
        fields.update(self.power.status())
        fields["display"] = self.has_display
        return fields

    def set_clock(self, wall_ms, uncertainty_ms, offset_min):
        super().set_clock(wall_ms, uncertainty_ms, offset_min)
        if self.session:
            self.session.clock_set(wall_ms, uncertainty_ms)

    def change_settings(self, changes):
        super().change_settings(changes)
        if "gain_db" in changes:
            self.gain = make_gain(self.settings["gain_db"])

    @property
    def situation(self):
        """The state that decides what a gesture does: one of gestures.py."""
        if self.session:
            return _situation_of(self.session)
        if (self.starting and not self.starting.done()) or super().occupied():
            return gestures.BUSY
        if self.power.low:
            return gestures.BATTERY_LOW
        if not self.store:
            return gestures.FAULT
        if not self.store.seconds_left:
            return gestures.STORAGE_FULL
        if self.link_in_use():
            return gestures.TRANSFERRING
        return gestures.STORAGE_LOW if self.store.seconds_left <= _LOW_S else gestures.IDLE

    @property
    def page(self):
        """The page of the status that its owner looks at; 0 is none."""
        if self._page and time.ticks_diff(time.ticks_ms(), self._paged_ms) >= _PAGE_MS:
            self._page = 0
        return self._page

    async def on_gesture(self, key, gesture):
        """Do what the table says. A recording ends, and a mark stands, where the key went down."""
        self.power.touch()
        self.touches += 1
        if gesture == keys.PRESS:
            self._pressed_at[key] = self.session.position if self.session else 0
        elif gesture == keys.STUCK:
            self.log.note("key %s is stuck" % key)
            self.notice = self.notice or ("key stuck", "check " + key.upper())
        else:
            action = gestures.action(self.situation, key, gesture)
            if action:
                await getattr(self, "_do_" + action)(key)

    async def _do_start(self, key):
        self.starting = asyncio.create_task(
            self._start(block.KIND_RECORDING)
        )  # it may have to make room: the keys must go on

    async def _do_start_memo(self, key):
        self._memo_held = True
        self.starting = asyncio.create_task(self._start(block.KIND_MEMO))

    async def _do_let_go(self, key):
        self._memo_held = False

    async def _do_stop(self, key):
        if self.session:  # a memo lasts as long as it is held
            await self._finish(self._pressed_at["rec"] if key == "rec" else self.session.position)

    async def _do_pause(self, key):
        if self.session:
            self.session.pause()

    async def _do_withhold(self, key):
        if self.session:
            self.session.withhold()

    async def _do_resume(self, key):
        if self.session:
            self.session.resume()

    async def _do_mark(self, key):
        if self.session:
            self.session.mark(self._pressed_at[key])

    async def _do_page(self, key):
        self._page = (self.page + 1) % (PAGES + 1)
        self._paged_ms = time.ticks_ms()

    async def _do_refuse(self, key):
        self.notice = _BATTERY_LOW if self.situation == gestures.BATTERY_LOW else self.notice

    async def _do_enter_safe_mode(self, key):
        if self.session:
            await self._finish(self.session.position)
        self._come_up()
        boots.ask_for_safe_mode(self._folder)
        await self._start_again(_SAFE_MODE)

    async def _finish(self, position, reason=block.END_KEY):
        """End the recording there; returns when it has ended."""
        if self.session and self.recording:
            self.session.finish(position, reason)
            await self.recording

    async def stop_recording(self):
        """A host ends what is being recorded, for its owner."""
        if self.session:
            await self._finish(self.session.position, block.END_HOST)

    def prepare_prompt(self):
        self._come_up()
        super().prepare_prompt()

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

    async def _make_room(self, store):
        """A recording needs room now: erase first, and show it."""
        self.making_room = True
        await self._tidy(store, lambda: store.seconds_left >= _LITTLE_ROOM_S or self.link_in_use())
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

    async def _start(self, kind):
        if not self.store or self.making_room or self.session or self.farewell:
            return
        if self.store.seconds_left < _LITTLE_ROOM_S and not self.link_in_use():
            await self._make_room(self.store)
        if not self.store or not self.store.seconds_left:
            self.notice = _FULL
            return
        if kind == block.KIND_MEMO and not self._memo_held:
            return
        self._come_up()
        try:
            microphone = Microphone(board.microphone(), FRAME_WORDS_BYTES)
        except (OSError, ValueError) as error:
            self.log.note("microphone: %r" % error)
            self.notice = ("no microphone", "check wiring")
            return
        try:
            self.session = Session(self, microphone, kind)
        except MemoryError as error:
            microphone.close()
            self.log.note("recording not begun: %r" % error)
            self.notice = ("out of memory", "restart the card")
            return
        self.notice = None
        self.recording = asyncio.create_task(self._record(self.session, microphone))

    async def _record(self, session, microphone):
        """Record until the owner or trouble ends it; a recording that is as long as can be goes on as the next one."""
        try:
            await session.run()
            while session.reason == block.END_ROLLED_OVER:
                session = self.session = Session(self, microphone, session.kind)
                await session.run()
        except Exception as error:  # the watchdog is fed no longer: the card starts again, and closes the recording
            self.log.note("recording: %r" % error)
            return
        microphone.close()
        self.power.touch()
        self.notice = _NOTICES.get(session.reason)
        self.session = self.recording = self.starting = None  # a task that is done still holds all that it had
        self._counted_ms = None

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
                    self._come_up()
                if self._up:
                    self._keep_counters()
            await asyncio.sleep_ms(_WATCH_MS)

    async def _watch_power(self):
        """End a recording before the battery does; sleep when nothing has been done for long."""
        if self.power.step() and self.power.low and self.session:
            self.session.battery(self.power.battery.mv)
            await self._finish(self.session.position, block.END_BATTERY_LOW)
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

    def _come_up(self):
        """The start was a good one. It is noted before the first recording, during which no file is written."""
        if not self._up:
            self._up = True
            self._came_up()

    def _keep_counters(self):
        """Each minute, and after a recording: measure the battery and save what has changed."""
        now_ms = time.ticks_ms()
        if self._counted_ms is not None and time.ticks_diff(now_ms, self._counted_ms) < _COUNT_MS:
            return
        self._counted_ms = now_ms
        battery_mv = self.power.battery.mv
        if battery_mv:
            self.counters.lowest(counters.LOWEST_BATTERY_MV, battery_mv // _BATTERY_STEP_MV * _BATTERY_STEP_MV)
        self.count()
        self.counters.save()


def _situation_of(session):
    if session.skips is not None:
        return gestures.PAUSED if session.skips == block.GAP_PAUSED else gestures.WITHHELD
    return gestures.MEMO if session.kind == block.KIND_MEMO else gestures.RECORDING


async def main():
    card = Card()
    card.link = LinkServer(open_carrier(card.name), card)
    if board.is_woken_by_rec():
        await card.on_gesture("rec", keys.TAP)
    watch_keys = keys.watch(board.keys(), card.on_gesture)
    await asyncio.gather(watch_keys, card.watch(), card.keep_room(), show(card), card.link.run())


def run():
    asyncio.run(main())
