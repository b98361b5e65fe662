"""A line between a host and a card that goes wrong as planned: a pseudo-terminal for the host, the card's own port behind it."""

from __future__ import annotations

import os
import pty
import select
import threading
import time
import tty
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

from soak.faults import FOREVER_S, RING_BYTES, SHORT_WRITE, TO_CARD, TO_HOST, WRITE_TIMEOUT_S, Fault, transformed
from voicecard.firmware.wire import frame, message

_READ_BYTES = 4096
_MOST_WAITING_BYTES = 16_384  # so many bytes the line itself takes before it stops reading
_QUIET_S = 0.1  # a window that is not full by then acts on what it has
_TRICKLE_S = 0.0002
_SILENT_S = 0.2


class HangUpError(Exception):
    """The plan pulls the cable."""


class Way:
    """Bytes that go one way: `take` what came, `due` gives what goes out. No I/O; `now` is a time in seconds."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.fired: list[Fault] = []
        self.open_at = 0.0  # nothing is read before
        self._faults = sorted(faults, key=lambda fault: (fault.after_frames, fault.after_bytes))
        self._frames = 0  # that have gone by
        self._inside = False  # a frame, and not behind its end
        self._bytes = 0  # since the end of the frame that the next fault waits for
        self._held = b""  # came after a fault that stops the line
        self._acting: Fault | None = None
        self._window = b""
        self._act_at = FOREVER_S
        self._out: deque[bytes] = deque()

    @property
    def full(self) -> bool:
        return sum(map(len, self._out)) + len(self._held) > _MOST_WAITING_BYTES

    def wake_at(self) -> float:
        """When something happens though nothing comes."""
        return min(self._act_at, self.open_at if self._held and self.open_at < FOREVER_S else FOREVER_S)

    def take(self, data: bytes, now: float) -> None:
        """Raises HangUpError where the plan says so."""
        data, self._held = self._held + data, b""
        if self._acting and now >= self._act_at:
            self._act()
        while data or self._due_now():
            if now < self.open_at:
                self._held = data
                return
            data = self._gather(data) if self._acting else self._pass_on(data, now)

    def due(self) -> bytes:
        """The next piece to go out, or nothing."""
        return self._out[0] if self._out else b""

    def gone(self, size: int) -> None:
        """So much of the next piece went out."""
        piece = self._out.popleft()
        if size < len(piece):
            self._out.appendleft(piece[size:])

    def _due_now(self) -> bool:
        fault = self._faults[0] if self._faults and not self._acting else None
        return fault is not None and self._frames > fault.after_frames

    def _pass_on(self, data: bytes, now: float) -> bytes:
        """Let bytes through up to the next fault, and begin that; returns what is left."""
        fault = self._faults[0] if self._faults else None
        if fault is None:
            self._send(data)
            return b""
        at = self._skip_frames(data, fault.after_frames)
        if self._frames == fault.after_frames:
            at = self._skip_bytes(data, at, fault.after_bytes)
        self._send(data[:at])
        self._inside = bool(data[at - 1]) if at else self._inside
        if self._reached(fault):
            self._begin(self._faults.pop(0), now)
        return data[at:]

    def _skip_frames(self, data: bytes, frames: int) -> int:
        """Where in `data` so many frames have gone by."""
        at = 0
        while self._frames < frames:
            end = self._frame_end(data, at)
            if end is None:
                return len(data)
            self._frames += 1
            at = end
        return at

    def _skip_bytes(self, data: bytes, at: int, after_bytes: int) -> int:
        """Where so many bytes have gone by, or one more frame."""
        until = min(at + after_bytes - self._bytes, len(data))
        end = self._frame_end(data[:until], at)
        if end is not None:
            self._frames += 1
            return end
        self._bytes += until - at
        return until

    def _frame_end(self, data: bytes, at: int) -> int | None:
        """Behind the next zero that ends a frame: there may be more between two frames."""
        zero = data.find(0, at)
        while zero >= 0 and not (data[zero - 1] if zero else self._inside):
            zero = data.find(0, zero + 1)
        return None if zero < 0 else zero + 1

    def _reached(self, fault: Fault) -> bool:
        if self._frames == fault.after_frames:
            return self._bytes >= fault.after_bytes
        return self._frames > fault.after_frames

    def _begin(self, fault: Fault, now: float) -> None:
        self.fired.append(fault)
        self._bytes = 0
        if fault.kind == "hang up":
            raise HangUpError
        if fault.kind in ("stall", "freeze"):
            self.open_at = now + fault.pause_s
            return
        self._acting = fault
        self._act_at = now + (fault.pause_s or _QUIET_S)

    def _gather(self, data: bytes) -> bytes:
        """Fill the acting fault's window; returns what is left."""
        assert self._acting
        if self._acting.kind == "overflow":
            self._window = (self._window + data)[:RING_BYTES]
            return b""
        missing = self._acting.size - len(self._window)
        self._window += data[:missing]
        self._inside = bool(self._window[-1]) if self._window else self._inside
        if len(self._window) == self._acting.size:
            self._act()
        return data[missing:]

    def _act(self) -> None:
        assert self._acting
        fault, window = self._acting, self._window
        self._acting, self._window, self._act_at = None, b"", FOREVER_S
        if fault.kind == "overflow":
            self._send(window)
        elif window:
            for piece in transformed(fault, window):
                self._send(piece)

    def _send(self, data: bytes) -> None:
        if data:
            self._out.append(data)


class Silence:
    """Notices that a card, after a pause in which nobody read, does not go on with the recording that it was sending.

    That is what a card does whose write came up short: it waits for the next request."""

    def __init__(self) -> None:
        self._reader = frame.FrameReader(frame.MAX_TO_HOST_BYTES)
        self._sending = False
        self._paused = False
        self._heard_at = 0.0

    def paused(self) -> None:
        self._paused = True

    def said(self, data: bytes, now: float) -> None:
        self._heard_at = now
        for kind, _, payload in self._reader.feed(data):
            self._sending = kind == message.SECTOR or b'"sectors"' in bytes(payload)

    def asked(self, now: float) -> bool:
        """The host makes its next request; returns whether the card has waited for that."""
        silent = self._paused and self._sending and now - self._heard_at > _SILENT_S
        self._paused = self._sending = False
        return silent


class Proxy:
    """`with Proxy(card_port, faults) as proxy:` a host may open `proxy.port`. What happened is in `fired` and `log` afterwards."""

    def __init__(self, card_port: str, faults: Sequence[Fault]) -> None:
        self.log: list[str] = []
        self.short_writes = 0  # of the card
        self._silence = Silence()
        self._ways = {way: Way([fault for fault in faults if fault.way == way]) for way in (TO_CARD, TO_HOST)}
        self._card = os.open(card_port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self._host, self._kept = pty.openpty()
        tty.setraw(self._kept)
        os.set_blocking(self._host, False)
        self.port = os.ttyname(self._kept)
        self._stop_read, self._stop_write = os.pipe()
        self._began = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)

    def __enter__(self) -> Proxy:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        os.write(self._stop_write, b".")
        self._thread.join()
        os.close(self._stop_read)
        os.close(self._stop_write)

    @property
    def happened(self) -> list[str]:
        faults = [f"{fault.kind} {fault.way}" for way in self._ways.values() for fault in way.fired]
        return faults + [SHORT_WRITE] * self.short_writes

    def _run(self) -> None:
        try:
            while self._turn():
                pass
        except (HangUpError, OSError) as error:  # OSError: the card is gone
            self._note("the line ends", repr(error))
        finally:
            for descriptor in (self._host, self._kept, self._card):
                os.close(descriptor)

    def _turn(self) -> bool:
        """Wait for bytes or for a fault's time, and move what can be moved; False when it is time to stop."""
        now = time.monotonic()
        ends = {TO_CARD: (self._host, self._card), TO_HOST: (self._card, self._host)}
        sources = [ends[name][0] for name, way in self._ways.items() if now >= way.open_at and not way.full]
        sinks = [ends[name][1] for name, way in self._ways.items() if way.due()]
        wake_at = min(
            [way.wake_at() for way in self._ways.values()]
            + [way.open_at for way in self._ways.values() if now < way.open_at]
        )
        timeout = None if wake_at == FOREVER_S else max(0.0, wake_at - now)
        readable, writable, _ = select.select([self._stop_read, *sources], sinks, [], timeout)
        if self._stop_read in readable:
            return False
        now = time.monotonic()
        for name, way in self._ways.items():
            source, sink = ends[name]
            if sink in writable:
                self._write(sink, way)
            data = b""
            if source in readable:
                with suppress(BlockingIOError):
                    data = os.read(source, _READ_BYTES)
                self._watch_for_silence(name, data, now)
            before = len(way.fired)
            try:
                way.take(data, now)
            finally:
                for fault in way.fired[before:]:
                    self._note("fault", str(fault))
                    if fault.way == TO_HOST and WRITE_TIMEOUT_S <= fault.pause_s < FOREVER_S:
                        self._silence.paused()
        return True

    def _watch_for_silence(self, way: str, data: bytes, now: float) -> None:
        if way == TO_HOST:
            self._silence.said(data, now)
        elif self._silence.asked(now):
            self.short_writes += 1
            self._note("the card", "sends nothing more")

    def _write(self, sink: int, way: Way) -> None:
        piece = way.due()
        with suppress(BlockingIOError):
            way.gone(os.write(sink, piece))
        if len(piece) == 1:
            time.sleep(_TRICKLE_S)

    def _note(self, what: str, about: str) -> None:
        self.log.append(f"{time.monotonic() - self._began:7.3f} s  {what}: {about}")
