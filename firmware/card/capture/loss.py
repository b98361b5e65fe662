"""Finds samples that the microphone driver lost: it has no overrun flag, but the clock tells.

Sound is lost in whole DMA descriptors, when flash masks the interrupts or the ring runs over. A reader that is not behind gets
a frame as soon as its last descriptor completes: then time that has passed beyond the frames received is less than one
descriptor, and just the start-up delay once in eight frames, when frames and descriptors end together. If the least of eight
frames' lags grows by a descriptor's length, a descriptor is missing."""

import time

from micropython import const

DESCRIPTOR_SAMPLES = const(256)
_DESCRIPTOR_US = const(16_000)
_FRAME_US = const(30_000)
_WINDOW_FRAMES = const(8)  # 240 ms: fifteen descriptors
_NOTICEABLE_US = const(12_000)
_DRIFT_SHIFT = const(3)  # the base follows an eighth of a change a window: crystals differ, and latencies too


class LossMeter:
    """`frame` is told of each frame and returns the samples found lost; `frames_since` then says how many frames ago."""

    def __init__(self):
        self._last_us = None
        self._lag_us = 0
        self._base_us = None
        self._least_us = None
        self._frames = 0
        self.frames_since = 0

    def frame(self, ready_us, waited):
        """A frame was ready at that time; `waited` says that the reader was there before it. Returns samples lost, mostly 0."""
        if self._last_us is not None:
            self._lag_us += time.ticks_diff(ready_us, self._last_us) - _FRAME_US
        self._last_us = ready_us
        late = self._base_us is not None and self._lag_us - self._base_us >= _NOTICEABLE_US
        self.frames_since = self.frames_since + 1 if late else 0
        if waited and (self._least_us is None or self._lag_us < self._least_us):
            self._least_us = self._lag_us
        self._frames += 1
        if self._frames % _WINDOW_FRAMES or self._least_us is None:
            return 0
        return self._judge()

    def _judge(self):
        least_us, self._least_us = self._least_us, None
        if self._base_us is None:
            self._base_us = least_us
            return 0
        change_us = least_us - self._base_us
        if change_us < _NOTICEABLE_US:
            self._base_us += change_us >> _DRIFT_SHIFT
            return 0
        descriptors = (change_us + _DESCRIPTOR_US - _NOTICEABLE_US) // _DESCRIPTOR_US
        self._lag_us -= descriptors * _DESCRIPTOR_US
        return descriptors * DESCRIPTOR_SAMPLES
