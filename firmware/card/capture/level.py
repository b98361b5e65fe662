"""From microphone words to samples, and how loud they are."""

from array import array

from micropython import const

MEAN, PEAK = 0, 1
_DC_SHIFT = const(10)  # the DC estimate follows with a time constant of 2**10 samples, 64 ms: a high-pass at 2.5 Hz


def new_dc():
    """State of the DC removal: the offset in Q8 at 20-bit scale, plus 2**29 so that it is never negative."""
    return array("i", (1 << 29,))


@micropython.viper
def to_samples(words, samples, count: int, gain_q4: int, dc_state):
    """Turn `count` 32-bit microphone words into int16 `samples`: DC removed, then gain (Q4: 16 is 1), clipped.

    The upper 24 bits of a word are the sound. DC is taken off at 20-bit scale (four bits below the 16-bit sample)."""
    w = ptr32(words)
    x = ptr16(samples)
    state = ptr32(dc_state)
    dc = int(state[0]) - (1 << 29)
    limit = 0x7FFF00 // gain_q4  # clipping before the gain keeps the product within 32 bits
    for i in range(count):
        value = int(w[i])
        value = ((value >> 12 & 0xFFFFF) ^ 0x80000) - 0x80000  # signed 20 bits on 32-bit and 64-bit integers alike
        dc += ((value << 8) - dc) >> _DC_SHIFT
        value -= dc >> 8
        if value > limit:
            value = limit
        elif value < 0 - limit:
            value = 0 - limit
        x[i] = value * gain_q4 >> 8
    state[0] = dc + (1 << 29)


@micropython.viper
def measure(samples, count: int, level):
    """Mean and peak of the absolute samples, into array('i') `level`."""
    x = ptr16(samples)
    out = ptr32(level)
    total = 0
    peak = 0
    for i in range(count):
        value = (int(x[i]) ^ 0x8000) - 0x8000
        if value < 0:
            value = 0 - value
        total += value
        if value > peak:
            peak = value
    out[0] = total // count
    out[1] = peak
