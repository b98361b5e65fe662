"""A pull makes nothing on the heap: from `stream` to the carrier's write it goes through every sector with the heap locked.

What a pull needs of the heap is a constant: one view of where sectors are read to, and the answers before and after them. The
emulated board may do as it likes between the steps of the card's code."""

import asyncio
import random

import machine
from micropython import heap_lock, heap_unlock

from card.link.recordings import stream
from card.link.server import LinkServer
from card.link.stdio import Stdio
from card.link.usb import Usb
from emulator import heap
from prepared import CARD, make_image, power_on
from test_link import FakeCard, record
from test_usb import configured, connect
from wire import frame, message

IMAGE = "memory.img"
PAGES = 800


class WithoutHeap:
    """Awaited, it goes through a coroutine; the heap is locked in every step that begins while `locked()`."""

    def __init__(self, coroutine, locked):
        self._coroutine = coroutine
        self._locked = locked
        self.steps = 0

    def __iter__(self):
        return self

    def __next__(self):
        if not self._locked():
            return self._coroutine.send(None)
        self.steps += 1
        heap_lock()
        try:
            return self._coroutine.send(None)
        finally:
            heap_unlock()


def recorded():
    make_image(IMAGE, 64)
    store, _ = power_on(IMAGE)
    record(store, PAGES)
    return store, store.sectors_of(1)


async def pull(server, store, sectors):
    """All sectors but for the first and the last are sent without the heap; returns the steps that took."""
    last = len(sectors) - 1
    sending = WithoutHeap(
        stream(server, 0, len(sectors), lambda index, buffer: store.read_sector(sectors[index], buffer)),
        lambda: 1 <= server.sent_sectors < last,
    )
    await sending
    assert server.sent_sectors == len(sectors)
    return sending.steps


class Counter:
    """Counts the sectors that a host receives."""

    def __init__(self):
        self._reader = frame.FrameReader(frame.MAX_TO_HOST_BYTES)
        self.sectors = 0

    def take(self, data):
        for kind, _, _ in self._reader.feed(bytes(data)):
            self.sectors += kind == message.SECTOR


def test_sectors_are_sent_over_usb_without_the_heap_whether_or_not_the_bus_is_slow():
    for bytes_per_s in (None, 1_000_000):
        store, sectors = recorded()
        host, port = connect(bytes_per_s=bytes_per_s)
        counter = Counter()
        host.deliver = counter.take

        async def send():
            carrier = Usb(machine.USBDevice(), CARD)
            await configured(carrier)
            steps = await pull(LinkServer(carrier, FakeCard(store)), store, sectors)
            await asyncio.sleep_ms(50)
            return steps

        steps = asyncio.run(send())
        assert counter.sectors == len(sectors) and port.faults == []
        assert steps >= (len(sectors) - 2) * (1 if bytes_per_s is None else 3), steps


class Terminal:
    """Standard input and output, as the REPL's connection has them: nothing comes, and everything is taken."""

    def __init__(self, take):
        self._take = take

    def ioctl(self, request, flags):
        return 0

    def write(self, buf, start, size):
        depth = heap.release()
        self._take(memoryview(buf)[start : start + size])
        heap.restore(depth)
        return size


def test_sectors_are_sent_over_stdio_without_the_heap():
    store, sectors = recorded()
    counter = Counter()
    terminal = Terminal(counter.take)
    steps = asyncio.run(pull(LinkServer(Stdio(terminal, terminal), FakeCard(store)), store, sectors))
    assert counter.sectors == len(sectors) and steps >= (len(sectors) - 2) * 16


class Nowhere:
    """A carrier that puts frames into a buffer, and takes its time."""

    taken = True

    def __init__(self):
        self._wire = bytearray(frame.encoded_bytes(frame.MAX_TO_HOST_BYTES))
        self._pause_ms = None

    def any(self):
        return False

    def begin(self, writer):
        writer.encode(self._wire)
        self._pause_ms = 3

    def go_on(self):
        self._pause_ms -= 1
        return self._pause_ms if self._pause_ms >= 0 else None


def test_nor_does_the_event_loop_need_it_in_between():
    store, sectors = recorded()
    server = LinkServer(Nowhere(), FakeCard(store))

    def read(index, buffer):
        if index == 1:
            heap_lock()
        store.read_sector(sectors[index], buffer)
        if index == len(sectors) - 1:
            heap_unlock()

    asyncio.run(stream(server, 0, len(sectors), read))
    assert server.sent_sectors == len(sectors)


def test_frames_are_found_in_a_stream_without_the_heap():
    reader = frame.FrameReader(frame.MAX_TO_CARD_BYTES)
    writer = frame.FrameWriter(frame.MAX_TO_CARD_BYTES)
    random.seed(3)
    for size in (0, 1, 60, 234):
        payload = bytes(random.getrandbits(8) & 0x83 for _ in range(size))
        damaged = bytearray(writer.frame(1, 6, payload))
        damaged[2] ^= 1
        wire = bytearray(b"garbage\0" + writer.frame(1, 7, payload) + damaged + bytes(300) + b"x" * 300)
        heap_lock()
        try:
            at = found = 0
            while at < len(wire):
                at = reader.take(wire, at)
                found += reader.frame_bytes > 0
        finally:
            heap_unlock()
        assert found == 1
