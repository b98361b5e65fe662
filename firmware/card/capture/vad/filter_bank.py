"""The filter bank: 16 to 8 kHz, splits into halves of a band, and a high-pass at 80 Hz.

All filters are built of first-order all-passes on the even and on the odd samples: their sum is the lower half of the
spectrum, their difference the upper one, both at half the rate. int16 values wrap as in the original, they never saturate.
"""

from micropython import const

HALVING_STATES = 2
SPLIT_STATES = 10
HIGH_PASS_STATES = 4
_SPLITS = const(5)

_HALVING_UPPER = const(5243)  # Q13, 0.64
_HALVING_LOWER = const(1392)  # Q13, 0.17
_SPLIT_UPPER = const(20972)  # Q15, 0.64
_SPLIT_LOWER = const(5571)  # Q15, 0.17
_HIGH_PASS_ZERO_0 = const(6631)  # Q14
_HIGH_PASS_ZERO_1 = const(-13262)  # Q14
_HIGH_PASS_ZERO_2 = const(6631)  # Q14
_HIGH_PASS_POLE_1 = const(-7756)  # Q14
_HIGH_PASS_POLE_2 = const(5620)  # Q14


@micropython.viper
def halve(samples, count: int, out, states):
    """Turn 2 * `count` samples at 16 kHz into `count` at 8 kHz; `states`: array('i') of 2."""
    x = ptr16(samples)
    y = ptr16(out)
    s = ptr32(states)
    even = ((int(s[0]) & 0x3FFFF) ^ 0x20000) - 0x20000  # 18 bits hold a state, on integers of any width
    odd = ((int(s[1]) & 0x3FFFF) ^ 0x20000) - 0x20000
    for i in range(count):
        sample = (int(x[2 * i]) ^ 0x8000) - 0x8000
        upper = (even >> 1) + (_HALVING_UPPER * sample >> 14)
        upper = ((upper & 0xFFFF) ^ 0x8000) - 0x8000
        even = sample - (_HALVING_UPPER * upper >> 12)

        sample = (int(x[2 * i + 1]) ^ 0x8000) - 0x8000
        lower = (odd >> 1) + (_HALVING_LOWER * sample >> 14)
        lower = ((lower & 0xFFFF) ^ 0x8000) - 0x8000
        odd = sample - (_HALVING_LOWER * lower >> 12)

        y[i] = upper + lower  # wraps
    s[0] = even
    s[1] = odd


@micropython.viper
def split(band, count: int, high, states, index: int):
    """Split `count` samples: the lower half of the spectrum replaces the first half of `band`, the upper goes to `high`.

    `states`: array('h') of 10, Q-1; the split `index` (0 to 4) has its own two. Sums wrap at 32 bits; on wider integers
    only their bits 16 to 31 are used, which are the same."""
    x = ptr16(band)
    y = ptr16(high)
    s = ptr16(states)
    even = int(s[index]) << 16  # wraps; Q15, as are all sums with it
    odd = int(s[index + _SPLITS]) << 16  # wraps
    for i in range(count >> 1):
        sample = (int(x[2 * i]) ^ 0x8000) - 0x8000
        upper = (even + _SPLIT_UPPER * sample) >> 16  # wraps; Q-1
        upper = ((upper & 0xFFFF) ^ 0x8000) - 0x8000
        even = (sample << 15) - (_SPLIT_UPPER * upper << 1)  # wraps

        sample = (int(x[2 * i + 1]) ^ 0x8000) - 0x8000
        lower = (odd + _SPLIT_LOWER * sample) >> 16  # wraps; Q-1
        lower = ((lower & 0xFFFF) ^ 0x8000) - 0x8000
        odd = (sample << 15) - (_SPLIT_LOWER * lower << 1)  # wraps

        x[i] = upper + lower  # wraps
        y[i] = upper - lower  # wraps
    s[index] = even >> 16  # wraps
    s[index + _SPLITS] = odd >> 16  # wraps


@micropython.viper
def high_pass(band, count: int, states):
    """Take what lies below 80 Hz off `count` samples at 500 Hz, in place; `states`: array('h') of 2 inputs, 2 outputs."""
    x = ptr16(band)
    s = ptr16(states)
    in_1 = (int(s[0]) ^ 0x8000) - 0x8000
    in_2 = (int(s[1]) ^ 0x8000) - 0x8000
    out_1 = (int(s[2]) ^ 0x8000) - 0x8000
    out_2 = (int(s[3]) ^ 0x8000) - 0x8000
    for i in range(count):
        sample = (int(x[i]) ^ 0x8000) - 0x8000
        out = _HIGH_PASS_ZERO_0 * sample + _HIGH_PASS_ZERO_1 * in_1 + _HIGH_PASS_ZERO_2 * in_2
        out -= _HIGH_PASS_POLE_1 * out_1 + _HIGH_PASS_POLE_2 * out_2
        in_2 = in_1
        in_1 = sample
        out_2 = out_1
        out_1 = ((out >> 14 & 0xFFFF) ^ 0x8000) - 0x8000
        x[i] = out_1
    s[0] = in_1
    s[1] = in_2
    s[2] = out_1
    s[3] = out_2
