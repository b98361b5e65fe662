"""The microphone's frames come even when the scheduler loses the driver's callback; one that is silent is told within bounds."""

import asyncio
import time

from card import board as card_board
from card.capture.microphone import Microphone
from card.capture.recorder import FRAME_WORDS_BYTES
from emulator import board


class Forgetful:
    """An I2S object whose callback is lost every `nth` time, as by a scheduler whose queue is full."""

    def __init__(self, i2s, nth):
        self._i2s = i2s
        self._nth = nth
        self.lost = self._calls = 0

    def irq(self, handler):
        def sometimes(i2s):
            self._calls += 1
            if self._calls % self._nth:
                handler(i2s)
            else:
                self.lost += 1

        self._i2s.irq(sometimes)

    def readinto(self, buffer):
        return self._i2s.readinto(buffer)

    def deinit(self):
        self._i2s.deinit()


class Mute:
    """An I2S object that never delivers; it counts how often it was asked."""

    def __init__(self):
        self.asked = 0

    def irq(self, handler):
        pass

    def readinto(self, buffer):
        self.asked += 1
        return len(buffer)

    def deinit(self):
        pass


def test_a_lost_callback_costs_no_sound():
    board.reset()
    forgetful = Forgetful(card_board.microphone(), 7)

    async def listen():
        microphone = Microphone(forgetful, bytearray(FRAME_WORDS_BYTES))
        for _ in range(400):
            assert await microphone.frame()
        microphone.close()
        assert microphone.stalls == 0

    asyncio.run(listen())
    assert forgetful.lost > 50
    assert board.audio["heard"] == 400 * 480 and board.audio["lost"] == 0


def test_a_microphone_that_delivers_nothing_is_told_within_a_quarter_of_a_second():
    board.reset()

    async def listen():
        mute = Mute()
        microphone = Microphone(mute, bytearray(FRAME_WORDS_BYTES))
        for n in range(7):
            asked_ms = time.ticks_ms()
            assert await microphone.frame() is None
            assert 100 < time.ticks_diff(time.ticks_ms(), asked_ms) < 250
            assert microphone.stalls == n + 1
        assert mute.asked == 2, "asked again after a second, not before"
        microphone.close()

    asyncio.run(listen())
