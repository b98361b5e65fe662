"""Two seconds of the microphone: how loud its quietest and its loudest frame are, and its offset."""

from array import array

from micropython import const

from card import board
from card.capture import level
from card.capture.microphone import Microphone
from card.capture.recorder import FRAME_SAMPLES, samples_scratch

_FRAMES = const(77)
_SETTLING_FRAMES = const(10)  # the first 0.3 s: a microphone wakes up, and its offset is found
_FINE_Q8 = const(16 * 256)  # of 20 bits the lower 16
_FINE_PEAK = const(0x7FFF)
_COARSE_Q8 = const(256)  # of 20 bits the upper 16


async def measure(card):
    """Levels are mean absolute values of a frame, in 20-bit steps (full scale is 2**19)."""
    words = card.frame_words()
    samples, out = samples_scratch, array("i", (0, 0))
    dc = level.new_dc()
    quietest, loudest, highest, dead, frames, offsets = 1 << 19, 0, 0, 0, 0, 0
    microphone = Microphone(board.microphone(), words)
    try:
        for number in range(_FRAMES):
            if not await microphone.frame():
                continue
            dead += level.is_dead(words, FRAME_SAMPLES)
            peak = level.remove_dc(words, FRAME_SAMPLES, dc)
            if number < _SETTLING_FRAMES:
                continue
            fine = peak <= _FINE_PEAK
            level.apply_gain(words, samples, FRAME_SAMPLES, _FINE_Q8 if fine else _COARSE_Q8)
            level.measure(samples, FRAME_SAMPLES, out)
            mean = out[level.MEAN] if fine else out[level.MEAN] << 4
            quietest, loudest, highest = min(quietest, mean), max(loudest, mean), max(highest, peak)
            frames += 1
            offsets += (dc[0] - (1 << 29)) >> 8
        stalls = microphone.stalls
    finally:
        microphone.close()
    return {
        "frames": frames,
        "stalls": stalls,
        "dead_frames": dead,
        "quietest": quietest,
        "loudest": loudest,
        "peak": highest,
        "offset": offsets // max(1, frames),
    }
