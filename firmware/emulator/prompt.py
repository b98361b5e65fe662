"""The prompt after main.py: the interpreter's own, friendly and raw, at the card's serial port.

The interpreter reads its standard input, and knows nothing of the emulated world. But a signal interrupts it every few
milliseconds (see interpreter.py of the host); then it runs what is scheduled, as the board's does while it waits. So the world goes
on, and what has come over the line is given to standard input. What the interpreter prints the host's side brings to the port.

Code that runs at the prompt takes no time of the world, as all code here. Ctrl-C reaches it where it waits."""

import sys

import micropython
import uos
import uselect
import utime

from emulator import board
from emulator.serial import INTERRUPT, NO_INTERRUPT

_QUIET_US = 1_000  # code that runs is interrupted far more often


class Prompt:
    """`keyboard`: a file descriptor, the other end of standard input. `on_end`: called when the prompt is left, by Ctrl-D."""

    def __init__(self, keyboard, on_end):
        self._keyboard = open(keyboard, "wb")
        self._on_end = on_end
        self._unread = uselect.poll()
        self._unread.register(sys.stdin, uselect.POLLIN)
        self._left_us = utime.ticks_us()
        self._idle = False
        self._scheduled = self._look  # bound once

    def begin(self):
        """The interpreter shows its prompt when run.py is over."""
        uos.putenv("MICROPYINSPECT", "1")
        sys.atexit(self._end)
        board.line.set_interrupt(INTERRUPT)
        micropython.schedule(self._scheduled, None)

    def _end(self):
        self._hand_over()
        self._on_end()

    def _look(self, _argument):
        """Once it was quiet twice in a row (once may be a pause of this process) the interpreter waits for what is typed."""
        quiet_us = utime.ticks_diff(utime.ticks_us(), self._left_us)
        was_idle, self._idle = self._idle, quiet_us >= _QUIET_US and not board.world.waiting
        if was_idle and self._idle:
            try:
                self._go_on(quiet_us)
            except BaseException:  # the host's side is gone
                self._keyboard.close()
                raise
        self._left_us = utime.ticks_us()
        micropython.schedule(self._scheduled, None)

    def _go_on(self, us):
        """The interpreter has waited for so long."""
        line, world = board.line, board.world
        line.set_interrupt(NO_INTERRUPT)
        if line.live():
            line.pump()
            world.spend(us)
            world.tick()
        else:
            world.wait(None, line.opened)
        if not self._unread.poll(0):
            self._hand_over()
        line.set_interrupt(INTERRUPT)  # of what runs next

    def _hand_over(self):
        if board.line.is_repl():
            self._keyboard.write(board.line.take())
