"""Time and what happens in it: a virtual clock, an event queue, masked interrupts, the scheduler's queue. In µs.

Time passes only here: what costs CPU time `spend`s it, flash `stall`s (interrupts masked), sleeping and polling `wait`.
Events are the hardware's side (interrupts); what they schedule runs at the next safe point: a tick, sleep or poll."""

import sys

import utime

from emulator import heap
from emulator.noise import Noise

SCHEDULER_DEPTH = 8  # MICROPY_SCHEDULER_DEPTH of the esp32 port
LONGEST_REAL_WAIT_US = 200_000  # so that the end of the parent process is noticed


class PowerOff(BaseException):
    """The power is gone; nothing of the card may run any more."""


class World:
    """`realtime`: waits take as long as they say. `seed`: text or number that all randomness comes from."""

    def __init__(self, seed=0, realtime=False):
        self.now_us = 0
        self.noise = Noise("world %s" % seed)
        self.dma = None  # the I2S receiver that runs: it loses sound while interrupts are masked
        self.line = None  # the serial line: while a host listens, waits are real
        self.dropped_callbacks = 0
        self.waiting = False  # really, in the midst of something
        self._realtime = realtime
        self._events = []
        self._callbacks = []
        self._nodes = []
        self._in_callback = False
        self._real_us = 0
        self._real_ticks = utime.ticks_us()

    def at(self, due_us, action):
        """Call `action()` when it is `due_us`; equal times in the order of the calls. Returns what `cancel` takes."""
        event = (due_us, action)
        index = len(self._events)
        while index and self._events[index - 1][0] > due_us:
            index -= 1
        self._events.insert(index, event)
        return event

    def cancel(self, event):
        """Forget an event; one that has happened is no error."""
        for index, other in enumerate(self._events):
            if other is event:
                self._events.pop(index)
                return

    def schedule(self, callback, argument):
        """Queue a callback as mp_sched_schedule does: dropped without a word when the queue is full."""
        if len(self._callbacks) < SCHEDULER_DEPTH:
            self._callbacks.append((callback, argument))
        else:
            self.dropped_callbacks += 1

    def schedule_node(self, callback):
        """Queue a callback of the port's own, as mp_sched_schedule_node does: it has a place, and runs before the others."""
        self._nodes.append(callback)

    def tick(self):
        """Read the clock: costs one microsecond, so that busy waits end. Returns the time in microseconds."""
        depth = heap.release()
        self.now_us += 1
        if not depth:
            self._safe_point()
        now_us = self.now_us
        heap.restore(depth)
        return now_us

    def spend(self, us):
        """The CPU is busy for a while; interrupts happen, callbacks wait."""
        until_us = self.now_us + us
        while self._events and self._events[0][0] <= until_us:
            self.now_us = max(self.now_us, self._events[0][0])
            self._interrupt()
        self.now_us = max(self.now_us, until_us)

    def wait_busily(self, us):
        """The CPU waits in C, and looks each millisecond: interrupts happen and callbacks run, but no task."""
        until_us = self.now_us + us
        while self.now_us < until_us:
            self.spend(min(1000, until_us - self.now_us))
            self._safe_point()

    def stall(self, us):
        """The CPU stands still and interrupts are masked; what fell due meanwhile happens afterwards, all at once."""
        if self.dma:
            self.dma.collect()
        self.now_us += us
        if self.dma:
            self.dma.collect(merged=True)
        self._interrupts()

    def wait(self, until_us, ready=None):
        """Sleep until `until_us` (None: for ever) or until `ready()` is true; callbacks run."""
        while True:
            self._safe_point()
            if ready and ready():
                return
            if until_us is not None and self.now_us >= until_us:
                return
            self._pass(until_us)

    def _safe_point(self):
        if self._events and self._events[0][0] <= self.now_us:
            self._interrupts()
        if (self._nodes or self._callbacks) and not self._in_callback:
            self._run_callbacks()

    def _run_callbacks(self):
        self._in_callback = True
        try:
            while self._nodes or self._callbacks:
                callback, argument = (self._nodes.pop(0), None) if self._nodes else self._callbacks.pop(0)
                try:
                    callback(argument)
                except Exception as error:  # as the port does: printed, and the rest goes on
                    sys.print_exception(error)
        finally:
            self._in_callback = False

    def _interrupts(self):
        while self._events and self._events[0][0] <= self.now_us:
            self._interrupt()

    def _interrupt(self):
        self._events.pop(0)[1]()

    def _pass(self, until_us):
        """Let time pass up to `until_us` or the next event, whichever comes first; or less, when it passes really."""
        if self._events and (until_us is None or self._events[0][0] < until_us):
            until_us = self._events[0][0]
        live = self.line and self.line.live()
        if until_us is None:
            if not (live or self._realtime):
                raise RuntimeError("nothing can ever happen in this world again")
            until_us = self.now_us + LONGEST_REAL_WAIT_US
        left_us = until_us - self.now_us
        if self._realtime:
            late_us = self._real_time_us() - self.now_us
            if late_us > 0:
                self.now_us += min(late_us, left_us)
                return
        if live or self._realtime:
            self.now_us += min(self._really_wait(min(left_us, LONGEST_REAL_WAIT_US)), left_us)
        else:
            self.now_us = until_us

    def _really_wait(self, us):
        start = utime.ticks_us()
        self.waiting = True
        try:
            if self.line and self.line.plugged():
                self.line.wait(us)
            else:
                utime.sleep_us(us)
        finally:
            self.waiting = False
        return utime.ticks_diff(utime.ticks_us(), start)

    def _real_time_us(self):
        """Real time since power-on; summed up because the interpreter's own ticks wrap."""
        ticks = utime.ticks_us()
        self._real_us += utime.ticks_diff(ticks, self._real_ticks)
        self._real_ticks = ticks
        return self._real_us
