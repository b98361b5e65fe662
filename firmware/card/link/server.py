"""The link's server: frames in, requests handled one at a time, frames out."""

import asyncio
import time

from micropython import const

from card.errors import Refused
from wire import frame, message

from .requests import HANDLERS

_SESSION_MS = const(10_000)


class LinkServer:
    """Serves a carrier for ever. `card` is what the requests act on: see card/core.py.

    After a write that the host did not take nothing more is sent until a whole request has arrived."""

    def __init__(self, carrier, card):
        self.card = card
        self._carrier = carrier
        self._reader = frame.FrameReader(frame.MAX_TO_CARD_BYTES)
        self._writer = frame.FrameWriter(frame.MAX_TO_HOST_BYTES)
        self._pending = []
        self._sequence = 0
        self._muted = False
        self._heard_ms = None
        self._handling = False
        self.update = None  # of the application, while a host is at one
        self.sent_sectors = 0  # to the host that is at work
        self.sectors_of_stream = self.sectors_streamed = 0  # of what it gets now, or got last

    def in_use(self):
        """Whether a host is at work: it is being served, or was within ten seconds, and has not taken its leave."""
        if self._handling:
            return True
        if self._heard_ms is not None and time.ticks_diff(time.ticks_ms(), self._heard_ms) >= _SESSION_MS:
            self._heard_ms = None
        return self._heard_ms is not None

    def leave(self):
        """The host has taken its leave."""
        self._heard_ms = None
        self._leave_update()
        self.sent_sectors = self.sectors_of_stream = self.sectors_streamed = 0

    def _leave_update(self):
        update, self.update = self.update, None
        try:
            if update:
                update.close()
        except OSError as error:
            self.card.log.note("update: %r" % error)

    @property
    def dropped_frames(self):
        """Frames that came damaged, since the start."""
        return self._reader.dropped

    @property
    def payload(self):
        """Where the payload of the next frame goes, for `send`."""
        return self._writer.payload

    async def run(self):
        while True:
            self._take(await self._carrier.read())
            while self._pending:
                self._handling = True
                self._heard_ms = time.ticks_ms()
                await self._handle(*self._pending.pop(0))
                self._handling = False
                if self._muted:  # who sent what waits does not read; the newest may be another's
                    self._pending = self._pending[-1:]
                if self._heard_ms is not None:  # it has not taken its leave
                    self._heard_ms = time.ticks_ms()

    def interrupted(self):
        """Whether the host has sent another request meanwhile, or takes nothing any more."""
        if self._carrier.any():
            self._take(self._carrier.read_arrived())
        return bool(self._pending) or self._muted

    def begin(self, kind, payload_bytes):
        """Begin to send a frame whose payload stands in `payload`: `go_on` does it, and allocates nothing."""
        if not self._muted:
            self._writer.finish(kind, self._sequence, payload_bytes)
            self._carrier.begin(self._writer)
            self.sent_sectors += kind == message.SECTOR

    def go_on(self):
        """Go on sending; returns the ms until the next call, or None when it is over."""
        if self._muted:
            return None
        pause_ms = self._carrier.go_on()
        if pause_ms is None:
            self._muted = not self._carrier.taken
        return pause_ms

    async def send(self, kind, payload_bytes):
        """Send a frame whose payload stands in `payload`."""
        self.begin(kind, payload_bytes)
        while (pause_ms := self.go_on()) is not None:
            await asyncio.sleep_ms(pause_ms)

    async def answer(self, fields):
        payload = message.pack_json(fields)
        self.payload[: len(payload)] = payload
        await self.send(message.ANSWER, len(payload))

    def _take(self, data):
        for kind, sequence, payload in self._reader.feed(data):
            if kind == message.REQUEST:
                self._pending.append((sequence, bytes(payload)))

    async def _handle(self, sequence, payload):
        self._sequence = sequence
        self._muted = False
        fields = {}
        try:
            fields = message.read_json(payload)
            handler = HANDLERS.get(fields.get("do"))
            if handler is None:
                raise Refused(message.UNKNOWN, "this card does not know that request")
            await handler(self, fields)
        except Refused as refusal:
            await self.answer({"error": refusal.code, "say": refusal.sentence})
        except (ValueError, TypeError, KeyError):
            await self.answer({"error": message.BAD, "say": "the request lacks a field or has a wrong one"})
        except Exception as error:  # no request may end a recording
            self.card.log.note("%s: %r" % (fields.get("do"), error))
            await self.answer({"error": message.FLASH, "say": "the card's flash or memory failed it: see its log"})
