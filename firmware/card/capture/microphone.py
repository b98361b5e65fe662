"""The microphone as a stream of frames, by I2S's interrupt mode."""

import asyncio
import time

from micropython import const

_LATE_MS = const(150)  # five frames: by then a frame is ready or its callback was lost
_WATCH_MS = const(50)
_WAIT_US = const(1000)
_REARM_WAITS = const(6)  # about a second: until then the driver may still be at the frame it was asked for
_UNTOUCHED = b"\xa5\x5a\xa5\x5a"  # stands in the last word of the buffer until the driver has filled it


class Microphone:
    """Frames from an I2S object into `buffer`, each as long as that. `stalls` counts waits that ended without sound.

    The driver's callback comes through the scheduler, whose queue drops what does not fit: a wait that gets late looks
    at the buffer itself; after about a second in vain it arms the driver again."""

    def __init__(self, i2s, buffer):
        self._i2s = i2s
        self._buffer = buffer
        self._last_word = memoryview(buffer)[len(buffer) - 4 :]
        self._ready = asyncio.ThreadSafeFlag()
        self._armed_ms = time.ticks_ms()
        self._vain_waits = 0  # since a frame came
        self.stalls = 0
        self.ready_us = time.ticks_us()  # when the last frame was, though its reader may have come to it later
        self.waited = False  # whether the last frame came after it was asked for: then the reader is not behind
        i2s.irq(self._on_ready)
        self._watcher = asyncio.create_task(self._watch())

    def _on_ready(self, _i2s):
        self.ready_us = time.ticks_us()
        self._ready.set()

    async def frame(self):
        """The next frame, in a buffer that is used again for the one after it; None when no sound came in time."""
        self._armed_ms = time.ticks_ms()
        armed_us = time.ticks_us()
        if self._vain_waits % _REARM_WAITS == 0:
            self._last_word[:] = _UNTOUCHED
            self._i2s.readinto(self._buffer)
        await self._ready.wait()
        self.waited = time.ticks_diff(self.ready_us, armed_us) > _WAIT_US
        if self._last_word != _UNTOUCHED:
            self._vain_waits = 0
            return self._buffer
        self._vain_waits += 1
        self.stalls += 1
        return None

    async def _watch(self):
        while True:
            await asyncio.sleep_ms(_WATCH_MS)
            if time.ticks_diff(time.ticks_ms(), self._armed_ms) > _LATE_MS:
                self._ready.set()

    def close(self):
        self._watcher.cancel()
        self._i2s.deinit()
