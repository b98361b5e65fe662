"""The serial line: the board's standard input and output over a pseudo-terminal that a host may open.

Each plugging-in has a terminal of its own, whose master end is an inherited file descriptor. While a host listens,
time is real: the same timeouts then mean the same on both sides."""

import uselect
import utime

from emulator import board, heap

RING_BYTES = 260
WRITE_TIMEOUT_MS = 500
UART_BYTES_PER_S = 11_520
INTERRUPT, NO_INTERRUPT = 3, -1  # Ctrl-C
_HANGUP_POLL_US = 5_000


class Line:
    """`masters`: file descriptors, one for each time the cable is plugged in. `uart_copy`: bytes also take UART time.

    `parent`: the stream whose hang-up means that the emulator's host side is gone, or None."""

    def __init__(self, world, masters=(), uart_copy=False, parent=None):
        self._world = world
        self._masters = list(masters)
        self._uart_copy = uart_copy
        self._parent = parent
        self._poller = uselect.poll()
        if parent:
            self._poller.register(parent, 0)
        self._power = False
        self.most_waiting = 0  # bytes that were kept at a time for a host, in the heap that is the card's as well
        self._file = None
        self._descriptor = None  # the file's
        self._ring = bytearray()
        self._open = False
        self._expecting = None  # called when a host that has opened the port lets go of it
        self._interrupt = NO_INTERRUPT

    def is_repl(self):
        """Whether this is the port of the REPL, where the prompt is."""
        return True

    def set_interrupt(self, char):
        """From now on this character, when it arrives, stops what runs; NO_INTERRUPT: none does."""
        self._interrupt = char

    def opened(self):
        """Whether a host has the port open now."""
        self.pump()
        return self._open

    def masters(self):
        """The file descriptors that a start after this one needs: that of now, if plugged in, and those to come."""
        return ([self._descriptor] if self._file else []) + self._masters

    def take(self):
        """What has arrived and was not read."""
        data, self._ring = self._ring, bytearray()
        return data

    def has_cable(self):
        """Whether a cable brings power."""
        return self._power or self.plugged()

    def bring_power(self):
        """A cable is there, and nothing is said on it."""
        self._power = True

    def plugged(self):
        return self._file is not None

    def live(self):
        """Whether waits must be real: a host listens, or is about to."""
        return self._file is not None and (self._open or self._expecting is not None)

    def plug(self, on_let_go):
        """Connect the next terminal; `on_let_go()` is called each time a host has opened it and closed it again."""
        self._descriptor = self._masters.pop(0)
        self._file = open(self._descriptor, "r+b")
        self._poller.register(self._file, uselect.POLLIN)
        self._open = False
        self._expecting = on_let_go

    def expect_nobody(self):
        """From now on waits are real only while a host has the port open."""
        self._expecting = None

    def unplug(self):
        self._power = False
        self._poller.unregister(self._file)
        self._file.close()
        self._file = None
        self._open = False

    def wait(self, us):
        """Wait really, at most so long, for bytes or for a host to come or go."""
        self._poller.modify(self._file, uselect.POLLIN if len(self._ring) < RING_BYTES else 0)
        if self._open and us >= 1000:
            self._poller.poll(us // 1000)
        else:
            utime.sleep_us(min(us, _HANGUP_POLL_US))
        self.pump()

    def pump(self):
        """Notice hosts that come and go, and take in what they sent, as far as there is room."""
        if self._file is None:
            return
        self._poller.modify(self._file, uselect.POLLIN if len(self._ring) < RING_BYTES else 0)
        flags = 0
        for stream, ready in self._poller.ipoll(0):
            if stream is self._parent:
                raise SystemExit(1)
            flags = ready
        if flags & uselect.POLLIN:
            self._open = True
            self._take_in()
        elif flags & uselect.POLLHUP:
            self._hang_up()
        else:
            self._open = True

    def _take_in(self):
        try:
            data = self._file.read(RING_BYTES - len(self._ring))
        except OSError:  # the host closed the port in between
            return
        if not data:
            return
        interrupt = b"" if self._interrupt == NO_INTERRUPT else bytes((self._interrupt,))
        if interrupt and interrupt in data and self.is_repl():
            self._ring.extend(data.replace(interrupt, b""))
            raise KeyboardInterrupt
        self._ring.extend(data)

    def _hang_up(self):
        if self._open:
            self._open = False
            if self._expecting:
                self._expecting()

    def readable(self):
        self.pump()
        return len(self._ring) > 0

    def read_into(self, view):
        """Fill `view`; blocks until that many bytes have come."""
        filled = 0
        while filled < len(view):
            self._world.wait(None, self.readable)
            count = min(len(view) - filled, len(self._ring))
            view[filled : filled + count] = self._ring[:count]
            self._ring = self._ring[count:]
            filled += count

    def write(self, buf):
        """Returns the number of bytes written: fewer after 500 ms without progress. Without a host they are gone."""
        self.pump()
        view = memoryview(buf)
        if self._uart_copy:
            self._copy_to_uart(len(view))
        done = 0
        while self._open and done < len(view):
            try:
                count = self._file.write(view[done:])
            except OSError:  # the host closed the port
                self.pump()
                break
            if count:
                done += count
            elif not self._wait_for_room():
                return done
        return len(view)

    def _copy_to_uart(self, size):
        """The CPU waits until the UART has taken so many bytes; a host that listens waits as long."""
        us = size * 1_000_000 // UART_BYTES_PER_S
        if self._open:
            utime.sleep_us(us)
        self._world.spend(us)

    def _wait_for_room(self):
        start = utime.ticks_us()
        self._poller.modify(self._file, uselect.POLLOUT)
        events = self._poller.poll(WRITE_TIMEOUT_MS)
        self._world.wait_busily(utime.ticks_diff(utime.ticks_us(), start))
        self.pump()
        return bool(events)


class Stream:
    """sys.stdin.buffer and sys.stdout.buffer; also what stands behind their text side, for polling."""

    def read(self, size=-1):
        if size < 0:
            raise NotImplementedError("reading a serial port to its end never ends")
        buf = bytearray(size)
        board.line.read_into(memoryview(buf))
        return bytes(buf)

    def readinto(self, buf, size=-1):
        view = memoryview(buf)
        board.line.read_into(view if size < 0 else view[:size])
        return len(buf) if size < 0 else min(size, len(buf))

    def write(self, buf, start=0, size=None):
        """With three arguments: `size` bytes from `start` on, as MicroPython's streams have it."""
        depth = heap.release()
        try:
            view = memoryview(buf)
            return board.line.write(view if size is None else view[start : start + size])
        finally:
            heap.restore(depth)

    def ioctl(self, request, argument):
        """Streams are polled with request 3: returns which of the flags asked for are true now."""
        if request != 3:
            return -1
        flags = argument & uselect.POLLOUT
        if argument & uselect.POLLIN and board.line.readable():
            flags |= uselect.POLLIN
        return flags


class Console:
    """sys.stdin or sys.stdout: text goes to the emulator's console, `buffer` is the serial line."""

    def __init__(self, text, buffer):
        self._text = text
        self.buffer = buffer
        self.ioctl = buffer.ioctl

    def write(self, text):
        return self._text.write(text)

    def read(self, size=-1):
        return self.buffer.read(size).decode()
