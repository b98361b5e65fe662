"""The application: what the keys do, one recording after the other, and the tasks that run."""

import asyncio
import time

from micropython import const

from card import board, boots, gestures, settings
from card.capture.gain import make_gain
from card.capture.microphone import Microphone
from card.capture.recorder import FRAME_SAMPLES, FRAME_WORDS_BYTES
from card.capture.vad import Detector
from card.carrier import open_carrier
from card.late import Late
from card.link.server import LinkServer
from card.screen import PAGES, show
from card.session import Session
from card.signal import signal
from card.ui import keys
from card.upkeep import LITTLE_ROOM_S, Upkeep
from wire import block

_LOW_S = const(15 * 60)
_PAGE_MS = const(10_000)
_FULL = ("storage full", "plug in, sync")
_BATTERY_LOW = ("battery low", "plug in")
_SAFE_MODE = ("safe mode", "restarting")
_RESTARTS = ("watchdog", "reset")
_RECORDING_STOPPED = ("card restarted", "press REC again")  # its owner believes that it still records
_NOTICES = {
    block.END_STORAGE_FULL: _FULL,
    block.END_BATTERY_LOW: _BATTERY_LOW,
    block.END_FAULT: ("flash fault", "plug in, sync"),
}


class Card(Upkeep):
    """The card as its owner knows it. `recording` is the task that records, `session` the recording it is at, or None."""

    def __init__(self, root=""):
        super().__init__(root)
        if board.reset_cause() in _RESTARTS and self.store and self.store.closed_recordings:
            self.notice = _RECORDING_STOPPED
        self.gain = make_gain(self.settings["gain_db"])
        self._words = bytearray()
        self._detector, self._detector_mode = None, None
        self.recording = None
        self.starting = None
        self.has_display = None  # not known yet
        self.touches = 0  # of the keys, so far
        self.on_key = None  # takes the place of what gestures do, while the keys are tested
        self._pressed_at = {}  # key: position in the recording when it went down
        self._memo_held = False
        self._page, self._paged_ms = 0, time.ticks_ms()

    def _activity(self):
        return "recording" if self.session else super()._activity()

    def status(self):
        fields = super().status()
        fields.update(self.power.status())
        fields["display"] = bool(self.has_display)
        return fields

    def set_clock(self, wall_ms, uncertainty_ms, offset_min):
        super().set_clock(wall_ms, uncertainty_ms, offset_min)
        if self.session:
            self.session.clock_set(wall_ms, uncertainty_ms)

    def change_settings(self, changes):
        super().change_settings(changes)
        if "gain_db" in changes:
            self.gain = make_gain(self.settings["gain_db"])

    def prepare_capture(self):
        """Make what recordings use in turn now, while the heap has room for it in one piece."""
        self._words = bytearray(FRAME_WORDS_BYTES)
        self.detector()

    def detector(self):
        """The voice detector, as new; None while everything is to be kept."""
        mode = self.settings["vad_mode"]
        if mode == settings.OFF:
            return None
        if mode != self._detector_mode:
            self._detector, self._detector_mode = Detector(mode, FRAME_SAMPLES), mode
        self._detector.reset()  # type: ignore[union-attr]
        return self._detector

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
        if self.on_key:
            self.on_key(key, gesture)
        elif gesture == keys.PRESS:
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
        self.come_up()
        boots.ask_for_safe_mode(self.folder)
        await self._start_again(_SAFE_MODE)

    async def _finish(self, position, reason=block.END_KEY):
        """End the recording there; returns when it has ended."""
        if self.session and self.recording:
            self.session.finish(position, reason)
            await self.recording

    async def end_for_low_battery(self):
        if self.session:
            self.session.battery(self.power.battery.mv)
            await self._finish(self.session.position, block.END_BATTERY_LOW)

    async def stop_recording(self):
        """A host ends what is being recorded, for its owner."""
        if self.session:
            await self._finish(self.session.position, block.END_HOST)

    def prepare_prompt(self):
        self.come_up()
        super().prepare_prompt()

    async def measure(self, part):
        """What the board says of itself; keys do nothing meanwhile. Raises ValueError for an unknown part."""
        self.held = True
        try:
            with Late("card.selftest") as selftest:
                return await selftest.measure(self, part)
        finally:
            self.held = False

    def frame_words(self):
        """The buffer for a frame of the microphone's words."""
        if not self._words:
            self.prepare_capture()
        return self._words

    async def _start(self, kind):
        if not self.store or self.occupied() or self.farewell:
            return
        if self.store.seconds_left < LITTLE_ROOM_S and not self.link_in_use():
            await self.make_room(self.store)
        if not self.store or not self.store.seconds_left:
            self.notice = _FULL
            return
        if kind == block.KIND_MEMO and not self._memo_held:
            return
        self.come_up()
        try:
            microphone = Microphone(board.microphone(), self.frame_words())
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
        self.recount = True


def _situation_of(session):
    if session.skips is not None:
        return gestures.PAUSED if session.skips == block.GAP_PAUSED else gestures.WITHHELD
    return gestures.MEMO if session.kind == block.KIND_MEMO else gestures.RECORDING


async def main():
    card = Card()
    card.link = LinkServer(open_carrier(card.name), card)  # the largest buffers are made first
    card.prepare_capture()
    if board.is_woken_by_rec():
        await card.on_gesture("rec", keys.TAP)
    watch_keys = keys.watch(board.keys(), card.on_gesture)
    await asyncio.gather(watch_keys, card.watch(), card.keep_room(), show(card), signal(card), card.link.run())


def run():
    asyncio.run(main())
