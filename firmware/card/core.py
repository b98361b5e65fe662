"""What the application and safe mode have in common: all of the card that a host asks for."""

import asyncio
import os

from micropython import const

import slots
from card import board, boots, counters, files, prompt, settings
from card.clock import Clock
from card.errors import CardError, NotPrepared, Refused
from card.log import Log
from card.store import format as formatting
from card.store.log import SectorLog
from wire import message

VERSION = "0.1.0"
_FAREWELL_MS = const(400)  # for the answer to reach the host, and for the screen to say so
_RESTARTING = ("restarting", "one moment")
_AT_PROMPT = ("at the prompt", "reset to record")
_NAME_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
_NAME_LENGTH = const(6)


class Core:
    """The card's store, settings and counters. `root` is where `vfs` is mounted, "" being "/".

    `_starts_not_counted`: failed starts that the file of starts holds and the counters do not yet."""

    def __init__(self, root="", recover=True):
        self.root = root
        self.folder = files.prepare(root)
        self._settings_path = root + settings.PATH
        self._recover = recover  # whether opening the store may write
        self.watchdog = board.watchdog()
        self.log = Log()
        self.clock = Clock()
        self.version = VERSION
        self.settings = settings.load(self.log, self._settings_path)
        self.counters = counters.Counters(self.log, self.folder)
        self.boot, self._starts_not_counted = boots.read(self.folder)
        self.partition = board.partition("recordings")
        self.lost_samples = 0  # since this start
        self.store = None
        self.name = ""
        self.link = None  # the server, once it runs
        self.formatted = None  # sectors done, while all are being erased
        self.held = False  # a host is at something that nothing may come between
        self.notice = None  # (title, remedy) that the screen shows until the next key
        self.test_card = None  # the function that draws it, while it is shown
        self.farewell = None  # the same, once the card is about to start again
        self.watchdog.feed()
        unfinished = formatting.interrupted(self.folder) if self.partition else None
        if unfinished:
            self._begin_formatting(unfinished)
        else:
            self._open_store()
        self.watchdog.feed()

    def occupied(self):
        """Whether the card is at something that nothing else may come between."""
        return self.held or self.formatted is not None

    @property
    def state(self):
        return "formatting" if self.formatted is not None else self._activity()

    def _activity(self):
        return "idle" if self.store else "fault"

    def status(self):
        store = self.store
        fields = {
            "state": self.state,
            "sectors": store.sectors if store else 0,
            "clean": store.clean_sectors if store else 0,
            "set_aside": store.set_aside_sectors if store else 0,
            "seconds_left": store.seconds_left if store else 0,
            "recordings": len(store.recordings) if store else 0,
            "lost_samples": self.lost_samples,
            "boot": self.boot,
            "ticks_us": self.clock.us(),
            "wall_ms": self.clock.wall_ms(),
        }
        if self.formatted is not None:
            fields["formatted"] = self.formatted
        return fields

    def set_clock(self, wall_ms, uncertainty_ms, offset_min):
        self.clock.set_wall(wall_ms, uncertainty_ms, offset_min)

    def change_settings(self, changes):
        """Make and save changes. Raises ValueError if one is not accepted, OSError if they cannot be saved: then none is made."""
        fresh = settings.changed(self.settings, changes)
        settings.save(fresh, self._settings_path)
        self.settings = fresh
        if self.store:
            self.store.copies = fresh["copies"]

    def count(self):
        """Bring the counters up to date; returns their values."""
        totals = self.counters
        if self.store:
            totals.follow(counters.ERASES, self.store.erases)
            totals.follow(counters.CUT_RECORDINGS, self.store.closed_recordings)
            totals.highest(counters.LONGEST_STALL_US, self.store.longest_stall_us)
        totals.follow(counters.LOST_SAMPLES, self.lost_samples)
        if self.link:
            totals.follow(counters.LINK_ERRORS, self.link.dropped_frames)
        return totals.values

    def begin_format(self):
        """Erase all recordings in the background and take a new name. Raises CardError or OSError when that cannot be done."""
        name = _new_name()
        try:
            formatting.begin(self.partition, name, self.folder)
        except CardError:
            self._open_store()  # the first sector has been tried
            raise
        self._begin_formatting(name)

    async def stop_recording(self):
        """Nothing is recorded without the application."""

    async def measure(self, part):
        """Nothing is measured without the application."""
        raise Refused(message.BUSY, "not in safe mode: restart the card first")

    async def restart(self):
        """Start again, with the application also when that has failed before."""
        self._came_up()
        await self._start_again(_RESTARTING)

    def prepare_prompt(self):
        """Let the next start end at the prompt. Raises OSError when that cannot be noted."""
        self.count()
        self.counters.save()
        prompt.ask(self.folder)

    async def start_at_prompt(self):
        await self._start_again(_AT_PROMPT)

    async def _start_again(self, farewell):
        self.farewell = farewell
        await asyncio.sleep_ms(_FAREWELL_MS)
        board.restart()

    def _came_up(self):
        """The starts so far count no longer as failed in a row."""
        self.counters.add(counters.FAILED_STARTS, self._starts_not_counted)
        self._starts_not_counted = 0
        boots.write(self.boot, 0, self.folder)
        try:
            slots.come_up()
        except OSError as error:
            self.log.note("slots: %r" % error)
        self.count()
        self.counters.save()

    def _open_store(self):
        self.store = None
        try:
            if self.partition is None:
                raise NotPrepared("no partition for recordings")
            store = SectorLog(self.partition, self.clock, self.log, self.boot - 1, self.folder, self._recover)
        except (CardError, OSError, ValueError) as error:
            self.log.note("store: %s" % error)
            self.notice = ("not prepared", "flash the card")
            return
        store.copies = self.settings["copies"]
        self.boot = store.boot
        self.name = store.card
        self.store = store

    def _begin_formatting(self, name):
        self.store = None
        self.formatted = 0
        self._formatting = asyncio.create_task(self._format(name))

    async def _format(self, name):
        """One erase at a time. What fails, or is cut short, is begun again at the next start."""
        try:
            for sectors in formatting.erase_all(self.partition, name, self.folder):
                self.formatted = sectors
                await asyncio.sleep_ms(0)
        except (CardError, OSError) as error:
            self.log.note("format: %r" % error)
            self.formatted = None
            self.notice = ("format failed", "plug in, retry")
            return
        self.counters.add(counters.ERASES, self.formatted)
        self.formatted = None
        self.notice = None
        self._open_store()


def _new_name():
    """A random name: it says nothing about the hardware."""
    return "".join([_NAME_LETTERS[byte % len(_NAME_LETTERS)] for byte in os.urandom(_NAME_LENGTH)])
