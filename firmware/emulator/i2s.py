"""The microphone and the I2S receiver with its DMA ring, as in ports/esp32/machine_i2s.c on ESP-IDF 5.

A descriptor holds 256 frames of 8 bytes. One fewer than there are can wait to be read; when all of them do, the oldest
is dropped. Of descriptors that complete while interrupts are masked only the last is ever seen."""

from emulator import board, heap

DESCRIPTOR_FRAMES, FRAME_BYTES = 256, 8
MICROPHONE_RATE = 16_000
DESCRIPTOR_US = 1_000_000 * DESCRIPTOR_FRAMES // MICROPHONE_RATE
MONO, STEREO = 0, 1
_LATE_SAMPLES = 8000


class Microphone:
    """Plays a file of 16-bit samples, little-endian, 16 kHz mono, into a room: it starts when it is first listened to
    and goes on in the world's time. A word is the sample shifted left by 16, plus `dc`; after the end only `dc`. The lowest
    of its 24 bits are never still, as on every microphone: `broken` is the one word that comes of one that is not connected.
    `live`: the file grows while it is heard, and is heard a little late, from where it is when the listening begins."""

    def __init__(self, world, path=None, dc=0, live=False):
        self._world = world
        self._file = open(path, "rb") if path else None
        self._dc = dc
        self._started_us = None
        self.hung_us = None
        self.broken = None
        self._chunk = bytearray(2 * DESCRIPTOR_FRAMES)
        self._view = memoryview(self._chunk)
        self._on_end = []
        self.samples = self._file.seek(0, 2) // 2 if self._file else 0
        self._at = self.samples  # the file's position in samples
        self._live = live
        self._base = 0  # the sample of the file that is heard first

    def listen(self):
        """Start the play if it has not begun; returns the number of the sample that is heard now."""
        if self._started_us is None:
            self._started_us = self._world.now_us
            if self._live:
                self._base = max(0, self._file.seek(0, 2) // 2 - _LATE_SAMPLES)
            for action in self._on_end:
                self._at_end(action)
        return (self._world.now_us - self._started_us) * MICROPHONE_RATE // 1_000_000

    def on_end(self, action):
        """Call `action()` at the instant the last sample has been heard; right away if it has."""
        if self._started_us is None:
            self._on_end.append(action)
        else:
            self._at_end(action)

    def hang(self):
        """From now on no descriptor completes any more, until the chip restarts."""
        self.hung_us = self._world.now_us

    def started(self):
        return self._started_us is not None

    def _at_end(self, action):
        end_us = self._started_us + -(-self.samples * 1_000_000 // MICROPHONE_RATE)
        self._world.at(max(end_us, self._world.now_us), action)

    def read(self, first, count, out, at, step):
        """Put samples `first` to `first + count` (at most 256) into words `at`, `at + step`, ... of `out`."""
        if self.broken is not None:
            _fill(out, at, count, step, self.broken)
            return
        first += self._base
        if self._live:
            self._at = self.samples = self._file.seek(0, 2) // 2
        heard = max(0, min(count, self.samples - first))
        if heard:
            if self._at != first:
                self._file.seek(2 * first)
            self._file.readinto(self._chunk, 2 * heard)
            self._at = first + heard
        _words(self._chunk, heard, out, at, step, self._dc)
        _silence(out, at + heard * step, count - heard, step, self._dc)


@micropython.viper
def _words(samples: ptr16, count: int, out: ptr32, at: int, step: int, dc: int):
    for i in range(count):
        out[at + i * step] = (samples[i] << 16) + dc + ((i & 7) << 8)


@micropython.viper
def _silence(out: ptr32, at: int, count: int, step: int, dc: int):
    for i in range(count):
        out[at + i * step] = dc + ((i & 7) << 8)


@micropython.viper
def _fill(out: ptr32, at: int, count: int, step: int, word: int):
    for i in range(count):
        out[at + i * step] = word


class I2S:
    """machine.I2S, receiving 32-bit words. Without `irq` readinto blocks; with it the handler tells when it is done."""

    RX, TX = 9, 10
    MONO, STEREO = MONO, STEREO

    def __init__(self, id, *, sck, ws, sd, mode, bits, format, rate, ibuf):
        if id not in (0, 1):
            raise ValueError("invalid id")
        if mode != I2S.RX:
            raise ValueError("invalid mode")
        if bits != 32:
            raise ValueError("invalid bits: the emulated microphone speaks 32")
        if format not in (MONO, STEREO):
            raise ValueError("invalid format")
        if rate != MICROPHONE_RATE:
            raise ValueError("invalid rate: the emulated microphone speaks 16000 Hz")
        if (sck.id, ws.id, sd.id) != board.I2S_PINS:
            raise ValueError("no microphone on these pins")
        if board.world.dma:
            board.world.dma.deinit()
        self._step = 1 + format  # words a frame
        self._capacity = max(2, ibuf // (DESCRIPTOR_FRAMES * FRAME_BYTES)) - 1
        self._handler = None
        self._reads = []  # non-blocking: [buffer, words, words filled], the one at work and at most one that waits
        self._event = None
        self._ready = []  # completed descriptors, oldest first
        self._used = 0  # frames already taken from the oldest
        self._completed = 0
        self._start_us = board.world.now_us
        self._first = board.microphone.listen()
        board.world.dma = self

    def irq(self, handler):
        if handler is not None and not callable(handler):
            raise ValueError("invalid callback")
        self._handler = handler
        self._reads = []

    def readinto(self, buf):
        """Returns the size of `buf` in bytes. Non-blocking: at once; the third at a time is silently dropped."""
        depth = heap.release()
        try:
            size = heap.byte_length(buf)
            if board.world.dma is not self:
                raise OSError(19)
            if size % (4 * self._step):
                raise OSError(22)
            if self._handler:
                if len(self._reads) < 2:
                    self._reads.append([buf, size // 4, 0])
                self._work()
            else:
                self._block([buf, size // 4, 0])
            return size
        finally:
            heap.restore(depth)

    def deinit(self):
        if board.world.dma is self:
            board.world.cancel(self._event)
            board.world.dma = None
            self._reads = []

    def collect(self, merged=False):
        """Take in the descriptors that have completed by now. `merged`: while interrupts were masked."""
        hung_us = board.microphone.hung_us
        elapsed_us = (board.world.now_us if hung_us is None else max(hung_us, self._start_us)) - self._start_us
        completed = elapsed_us * MICROPHONE_RATE // (DESCRIPTOR_FRAMES * 1_000_000)
        first = self._completed
        if merged and completed - first > 1:
            first = completed - 1
        elif completed - first > self._capacity:
            first = completed - self._capacity
        board.audio["lost"] += (first - self._completed) * DESCRIPTOR_FRAMES
        for descriptor in range(first, completed):
            if len(self._ready) == self._capacity:
                self._ready.pop(0)
                board.audio["lost"] += DESCRIPTOR_FRAMES - self._used
                self._used = 0
            self._ready.append(descriptor)
        self._completed = completed

    def _work(self):
        """The port's background task: fill what was asked for as descriptors come in."""
        self.collect()
        while self._reads and self._fill(self._reads[0]):
            self._reads.pop(0)
            board.world.schedule(self._handler, self)
        board.world.cancel(self._event)
        if self._reads and board.microphone.hung_us is None:
            self._event = board.world.at(self._next_us(), self._work)

    def _block(self, read):
        self.collect()
        while not self._fill(read):
            left_us = self._next_us() - board.world.now_us
            board.world.spend(left_us if left_us > 0 else DESCRIPTOR_US)  # a receiver that hangs is never due again
            self.collect()

    def _next_us(self):
        """When the next descriptor completes."""
        return self._start_us + -(-(self._completed + 1) * DESCRIPTOR_FRAMES * 1_000_000 // MICROPHONE_RATE)

    def _fill(self, read):
        """Copy waiting frames into a read; returns whether it is full."""
        buf, words, filled = read
        while filled < words and self._ready:
            frames = min(DESCRIPTOR_FRAMES - self._used, (words - filled) // self._step)
            first = self._first + self._ready[0] * DESCRIPTOR_FRAMES + self._used
            board.microphone.read(first, frames, buf, filled, self._step)
            if self._step == 2:
                _fill(buf, filled + 1, frames, 2, 0)  # nothing drives the right channel
            board.audio["heard"] += frames
            filled += frames * self._step
            self._used += frames
            if self._used == DESCRIPTOR_FRAMES:
                self._ready.pop(0)
                self._used = 0
        read[2] = filled
        return filled == words
