"""How long a frame of 30 ms takes in each stage of its way, in microseconds: on noise, as loud as near speech."""

import asyncio
import time
from array import array

from micropython import const

from card.capture import adpcm, level
from card.capture.recorder import FRAME_SAMPLES, samples_scratch
from card.capture.vad import Detector
from wire import block
from wire.crc32 import seal_block

_FRAMES = const(16)
_CODES_AT = block.BLOCK_HEADER_BYTES + block.CODEC_STATE_BYTES


async def measure(card):
    words = card.frame_words()
    samples, out = samples_scratch, array("i", (0, 0))
    page = bytearray(block.BLOCK_HEADER_BYTES + block.AUDIO_PAYLOAD_BYTES)
    detector = card.detector() or Detector(0, FRAME_SAMPLES)
    dc, codec = level.new_dc(), adpcm.new_state()
    totals_us = [0, 0, 0, 0]
    seed = 1
    for _ in range(_FRAMES):
        seed = _fill(words, FRAME_SAMPLES, seed)
        began_us = time.ticks_us()
        level.is_dead(words, FRAME_SAMPLES)
        level.remove_dc(words, FRAME_SAMPLES, dc)
        level.apply_gain(words, samples, FRAME_SAMPLES, 256)
        level.measure(samples, FRAME_SAMPLES, out)
        levelled_us = time.ticks_us()
        detector.is_speech(samples)
        heard_us = time.ticks_us()
        adpcm.put_state(codec, page, block.BLOCK_HEADER_BYTES)
        adpcm.encode(samples, FRAME_SAMPLES, codec, page, _CODES_AT)
        encoded_us = time.ticks_us()
        block.pack_block_header(page, 0, block.AUDIO, 0, block.AUDIO_PAYLOAD_BYTES, 0)
        seal_block(page, 0, block.AUDIO_PAYLOAD_BYTES)
        sealed_us = time.ticks_us()
        _add(totals_us, (began_us, levelled_us, heard_us, encoded_us, sealed_us))
        await asyncio.sleep_ms(0)
    if card.settings["vad_mode"] != "off":
        card.detector()  # reset: what it heard here is no room
    names = ("level_us", "detect_us", "encode_us", "seal_us")
    return dict([(name, total_us // _FRAMES) for name, total_us in zip(names, totals_us)])


def _add(totals_us, times_us):
    for stage in range(len(totals_us)):
        totals_us[stage] += time.ticks_diff(times_us[stage + 1], times_us[stage])


@micropython.viper
def _fill(words, count: int, seed: int) -> int:
    """Noise of a linear congruential generator (Numerical Recipes' constants) into 32-bit words, 18 dB below full scale."""
    w = ptr32(words)
    for i in range(count):
        seed = (seed * 1664525 + 1013904223) & 0x3FFFFFFF
        w[i] = seed - 0x20000000 >> 1
    return seed
