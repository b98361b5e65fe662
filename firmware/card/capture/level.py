"""From microphone words to samples, and how loud they are."""

from array import array

from micropython import const

MEAN, PEAK = 0, 1
FULL_SCALE_Q12 = const(0x7FFF000)  # the largest sample, at the scale that 20-bit values times a Q8 gain have
_DC_SHIFT = const(10)  # the DC estimate follows with a time constant of 2**10 samples, 64 ms: a high-pass at 2.5 Hz
_BIAS = const(1 << 21)  # keeps 20-bit values without DC non-negative in their words


def new_dc():
    """State of the DC removal: the offset in Q8 at 20-bit scale, plus 2**29 so that it is never negative."""
    return array("i", (1 << 29,))


@micropython.viper
def remove_dc(words, count: int, dc_state) -> int:
    """Replace `count` 32-bit microphone words by their upper 20 bits without DC, biased; returns their peak.

    The upper 24 bits of a word are the sound; 20 leave four below a sample's, and room for the gain in 32 bits."""
    w = ptr32(words)
    state = ptr32(dc_state)
    dc = int(state[0]) - (1 << 29)
    peak = 0
    for i in range(count):
        value = int(w[i])
        value = ((value >> 12 & 0xFFFFF) ^ 0x80000) - 0x80000  # signed 20 bits on 32-bit and 64-bit integers alike
        dc += ((value << 8) - dc) >> _DC_SHIFT
        value -= dc >> 8
        w[i] = value + _BIAS
        if value < 0:
            value = 0 - value
        if value > peak:
            peak = value
    state[0] = dc + (1 << 29)
    return peak


@micropython.viper
def apply_gain(words, samples, count: int, gain_q8: int):
    """Turn words that `remove_dc` has prepared into int16 samples, times a gain (Q8: 256 is 1), clipped."""
    w = ptr32(words)
    x = ptr16(samples)
    limit = 0x7FFF000 // gain_q8  # clipping before the gain keeps the product within 32 bits
    for i in range(count):
        value = int(w[i]) - _BIAS
        if value > limit:
            value = limit
        elif value < 0 - limit:
            value = 0 - limit
        x[i] = value * gain_q8 >> 12


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


@micropython.viper
def is_dead(words, count: int) -> bool:
    """Whether no microphone can have sent these words: their 24 bits all the same, or all at an end of the scale."""
    w = ptr32(words)
    first = int(w[0]) >> 8 & 0xFFFFFF
    same = 1
    ends = 1
    for i in range(count):
        value = int(w[i]) >> 8 & 0xFFFFFF
        if value != first:
            same = 0
        if value < 0x7FFFF0 or value > 0x80000F:
            ends = 0
        if same + ends == 0:
            return False
    return True
