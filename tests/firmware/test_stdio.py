"""The carrier `stdio`: what a host reads is whole, and one that does not read, or slowly, costs no sound."""

import asyncio
import random
import time

import machine

from card import board as card_board
from card.capture.loss import LossMeter
from card.capture.microphone import Microphone
from card.capture.recorder import FRAME_WORDS_BYTES
from card.link.stdio import Stdio
from emulator import board
from wire import frame

FIFO_BYTES, PACKET_BYTES, TIMEOUT_MS = 256, 64, 500
MOST_BYTES = frame.encoded_bytes(frame.MAX_TO_HOST_BYTES)
CAPTURE_MS = 7  # of each 30 ms: the most that capture may take
PAUSES_MS = (0, 1, 20, 100, 450, 499, 700, 5000)


class UsbStdout:
    """Standard output as in shared/tinyusb/mp_usbd_cdc.c: a buffer that is emptied by packets, one each time the host `reads()`."""

    def __init__(self, reads):
        self.taken = b""
        self._reads = reads
        self._fifo = b""
        self._packet = b""  # on its way

    def write(self, data, start=0, size=None):
        data = data[start:] if size is None else data[start : start + size]
        done = 0
        while done < len(data):
            size = min(PACKET_BYTES, len(data) - done)
            since_ms = time.ticks_ms()
            while size > self.room() and time.ticks_diff(time.ticks_ms(), since_ms) < TIMEOUT_MS:
                time.sleep_ms(1)
            size = min(size, self.room())
            if size == 0:
                break
            self._fifo += bytes(data[done : done + size])
            done += size
        return done

    def room(self):
        if self._packet and self._reads():
            self.taken += self._packet
            self._packet = b""
        if not self._packet:
            self._packet, self._fifo = self._fifo[:PACKET_BYTES], self._fifo[PACKET_BYTES:]
        return FIFO_BYTES - len(self._fifo)

    def ioctl(self, request, flags):
        return 0


class Raw:
    """A frame writer whose frame is what it is given."""

    def __init__(self, data):
        self._data = data

    def encode(self, into):
        into[: len(self._data)] = self._data
        return len(self._data)


async def write(carrier, data):
    """Whether the host has taken it."""
    carrier.begin(Raw(data))
    while (pause_ms := carrier.go_on()) is not None:
        await asyncio.sleep_ms(pause_ms)
    return carrier.taken


class Host:
    """Reads now and then: `pauses_ms` between the times."""

    def __init__(self, pauses_ms):
        self._pauses_ms = list(pauses_ms)
        self._next_ms = 0

    def reads(self):
        now_ms = board.world.now_us // 1000
        if now_ms < self._next_ms:
            return False
        self._next_ms = now_ms + (self._pauses_ms.pop(0) if self._pauses_ms else 0)
        return True


def test_what_a_host_reads_is_whole_with_nothing_but_zeros_between_the_frames():
    board.reset()
    stdout = UsbStdout(lambda: True)
    sizes = (1, 63, 64, 65, 128, 240, MOST_BYTES - 1)

    async def send():
        carrier = Stdio(stdout, stdout)
        for size in sizes:
            assert await write(carrier, b"x" * size + b"\0")

    asyncio.run(send())
    while stdout.room() < FIFO_BYTES:
        pass
    stdout.room()
    assert [len(part) for part in stdout.taken.split(b"\0") if part] == list(sizes)


def listening(pauses_ms, sizes):
    """Send frames of these sizes to such a host while the microphone runs; returns (whether each was taken, samples found lost)."""
    board.reset()
    stdout = UsbStdout(Host(pauses_ms).reads)
    found, taken = [], []

    async def listen(microphone):
        meter = LossMeter()
        while True:
            if await microphone.frame():
                time.sleep_ms(CAPTURE_MS)
                found.append(meter.frame(microphone.ready_us, microphone.waited))

    async def run():
        microphone = Microphone(card_board.microphone(), bytearray(FRAME_WORDS_BYTES))
        capture = asyncio.create_task(listen(microphone))
        await asyncio.sleep_ms(1000)
        carrier = Stdio(stdout, stdout)
        for size in sizes:
            taken.append(await write(carrier, bytes(size)))
        await asyncio.sleep_ms(1000)
        capture.cancel()
        microphone.close()

    usb = machine.USBDevice
    del machine.USBDevice
    try:
        asyncio.run(run())
    finally:
        machine.USBDevice = usb
    return taken, sum(found)


def test_a_host_that_does_not_read_or_slowly_costs_no_sound():
    ends = set()
    for seed in range(40):
        random.seed(seed)
        pauses_ms = [random.choice(PAUSES_MS) for _ in range(random.randrange(40))] + [10**9]
        if seed < len(PAUSES_MS):
            pauses_ms = [PAUSES_MS[seed]] * 500
        taken, found = listening(pauses_ms, [random.randrange(1, random.choice((90, MOST_BYTES))) for _ in range(12)])
        assert board.audio["lost"] == 0 and found == 0, (seed, board.audio["lost"], found)
        ends.update(taken)
    assert ends == {True, False}
