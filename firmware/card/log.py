"""The card's log: the last lines, in memory. Standard output is the link's, so nothing is printed."""

import time

from micropython import const

_LINES = const(32)
_LINE_LENGTH = const(120)


class Log:
    def __init__(self):
        self.lines = []

    def note(self, text):
        if len(self.lines) == _LINES:
            self.lines.pop(0)
        self.lines.append(("%s %s" % (time.ticks_ms(), text))[:_LINE_LENGTH])
