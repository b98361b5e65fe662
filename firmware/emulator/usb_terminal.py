"""The card's own USB serial port as a pseudo-terminal that a host program may open: the other end of a usb_port.Port.

While no program has it open the operating system reads nothing: what the card sends then waits on the card."""

import uselect
import utime

from emulator import board
from emulator.serial import RING_BYTES, Line
from emulator.usb_host import BusHost

# This process takes time that the card's code and the bus do not: so long a delay is no pause of the bus,
_LATE_US = 50_000  # while something waits to be sent,
_BRIEF_US = 1_000  # and until the card has made the next transfer out of the end of the last


class Terminal(Line):
    """A serial line, as far as the world and the script are concerned; `host` is what the USB port talks to.

    `bytes_per_s`: the bus takes so many from the card, in real time as all waits are then; None: no limit. The port
    itself has none."""

    def __init__(self, world, masters=(), parent=None, bytes_per_s=None):
        super().__init__(world, masters, False, parent)
        self.host = TerminalHost(self)
        self._unsent = bytearray()  # what the program has not taken yet
        self._bytes_per_s = bytes_per_s
        self._free_us = None  # until then the bus is busy, or was a moment ago
        self._held = False  # the card has something to send, and waits for it
        self._queued = False  # it had, before the bus was free

    def is_repl(self):
        """While the card's program has no device of its own, there is the firmware's, with the REPL's port alone."""
        return not (board.usb.device and board.usb.device.active())

    def plug(self, on_let_go):
        super().plug(on_let_go)
        self.host.plug()

    def unplug(self):
        self._unsent = bytearray()
        self._ring = bytearray()
        self._free_us = None
        self.host.unplug()
        super().unplug()

    def wait(self, us):
        """Wait really, at most so long, also for room to send."""
        busy_us = self._busy_us()
        if self._held and busy_us < us:
            self._held = False
            utime.sleep_us(busy_us)
            self.pump()
        elif self._open and self._unsent:
            self._poller.modify(self._file, uselect.POLLOUT | (uselect.POLLIN if len(self._ring) < RING_BYTES else 0))
            self._poller.poll(us // 1000)
            self.pump()
        else:
            super().wait(us)

    def pump(self):
        was_open = self._open
        super().pump()
        if self._file is None:
            return
        if self._open != was_open:
            self.host.opened(self._open)
        if self._open and self._unsent:
            self._unsent = self._unsent[self._write(self._unsent) :]
        self.host.port.move()

    def _busy_us(self):
        """How long the bus will be busy with what was sent."""
        if self._free_us is None:
            return 0
        left_us = utime.ticks_diff(self._free_us, utime.ticks_us())
        if left_us < -_LATE_US:
            self._free_us = None
        return max(0, left_us)

    def _hang_up(self):
        self._unsent = bytearray()
        self._free_us = None
        super()._hang_up()

    def send(self, data):
        if self._bytes_per_s:
            self._occupy(len(data) * 1_000_000 // self._bytes_per_s)
        taken = self._write(data)
        self._unsent = bytearray(memoryview(data)[taken:])  # one copy: this heap is the card's as well
        self.most_waiting = max(self.most_waiting, len(data))

    def _occupy(self, us):
        """The bus is busy for so long with what is sent now, or was to be sent a moment ago."""
        start_us = utime.ticks_us()
        if self._free_us is not None:
            late_us = utime.ticks_diff(start_us, self._free_us)
            if late_us <= (_LATE_US if self._queued else _BRIEF_US):
                start_us = self._free_us
        self._free_us = utime.ticks_add(start_us, us)
        self._queued = False

    def _write(self, data):
        """How many bytes of it the program's terminal takes."""
        try:
            return self._file.write(data) or 0
        except OSError:  # the program closed the port
            return 0

    def reading(self):
        """Whether a program has the port open and has taken what came before, and the bus is free."""
        if not self._open or self._unsent:
            return False
        self._held = self._busy_us() > 0
        self._queued = self._queued or self._held
        return not self._held

    def waiting(self):
        """Bytes that the program has sent."""
        return len(self._ring)

    def take_packet(self, size):
        packet, self._ring = bytes(self._ring[:size]), self._ring[size:]
        return packet


class TerminalHost(BusHost):
    """The operating system between the USB port and a pseudo-terminal."""

    def __init__(self, terminal):
        super().__init__(connected=False)
        self._terminal = terminal

    def opened(self, is_open):
        """A program has opened or closed the port: as a driver does, both lines are set together."""
        self.port.in_task(lambda: self.set_line_state(is_open))

    def reads(self):
        return self._terminal.reading()

    def deliver(self, data):
        self._terminal.send(data)

    def writes(self):
        return self._terminal.waiting()

    def take_packet(self, size):
        return self._terminal.take_packet(size)
