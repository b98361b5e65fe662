"""IMA ADPCM, 4 bits a sample (IMA Digital Audio Focus and Technical Working Group, 1992): any IMA decoder reads the codes.

The encoder does two things more than the standard's, which no decoder needs to know of:

* It shapes its noise to be weak where the sound's spectrum is weak (Atal and Schroeder, "Predictive coding of speech signals
  and subjective error criteria", 1979). With A the frame's prediction error filter of order 2, it keeps the error as heard
  through A(z / 0.97) / A(z / 0.7) small and white.
* It looks one sample ahead. Where the next change would be more than the largest code can say, it takes a larger code now,
  because that widens the step.

The state is an array('i') of values that are never negative, because 32-bit loads do not extend the sign on a 64-bit interpreter.
"""

from array import array

from micropython import const

BIAS = const(1 << 20)  # what all but the index and the switch are stored with
VALUE = const(0)
INDEX = const(1)
ERRORS = const(2)
HEARD = const(4)
LEFT = const(6)
SHAPED = const(8)

# fmt: off
STEPS = array("H", (
    7, 8, 9, 10, 11, 12, 13, 14, 16, 17, 19, 21, 23, 25, 28, 31, 34, 37, 41, 45, 50, 55, 60, 66, 73, 80, 88, 97, 107,
    118, 130, 143, 157, 173, 190, 209, 230, 253, 279, 307, 337, 371, 408, 449, 494, 544, 598, 658, 724, 796, 876,
    963, 1060, 1166, 1282, 1411, 1552, 1707, 1878, 2066, 2272, 2499, 2749, 3024, 3327, 3660, 4026, 4428, 4871, 5358,
    5894, 6484, 7132, 7845, 8630, 9493, 10442, 11487, 12635, 13899, 15289, 16818, 18500, 20350, 22385, 24623, 27086,
    29794, 32767,
))
# fmt: on
_INDEX_CHANGES = (-1, -1, -1, -1, 2, 4, 6, 8)


def _level(step, code):
    return (step >> 3) + (step if code & 4 else 0) + (step >> 1 if code & 2 else 0) + (step >> 2 if code & 1 else 0)


# By cell, 8 * step index + code without its sign: the change of the value, the least change for which no smaller code is
# nearer, and the first cell of the step index that follows.
_LEVELS = array("H", [_level(step, code) for step in STEPS for code in range(8)])
_LEAST = array("H", [(_LEVELS[n] + _LEVELS[n - 1] + 1) // 2 if n & 7 else 0 for n in range(len(_LEVELS))])
_NEXT = array("H", [8 * max(0, min(88, index + change)) for index in range(89) for change in _INDEX_CHANGES])


def new_state(shaped=True):
    """State of an encoder: value, step index, two past errors, two and two coefficients (Q10) of the filter, the switch `shaped`.

    Where `shaped` is false the coefficients stay as they are: 0, which leaves the noise white."""
    return array("i", (BIAS, 0, BIAS, BIAS, BIAS, BIAS, BIAS, BIAS, 1 if shaped else 0))


def put_state(state, out, at):
    """Write the block's four bytes of codec state: i16 predictor, u8 index, 0."""
    value = state[VALUE] - BIAS
    out[at] = value & 0xFF
    out[at + 1] = value >> 8 & 0xFF
    out[at + 2] = state[INDEX]
    out[at + 3] = 0


def encode(samples, count, state, out, at):
    """Encode `count` (even, at most 480) int16 samples into count/2 bytes of `out` from `at` on, low half first; `state` moves on."""
    if state[SHAPED]:
        _shape(samples, count, state)
    _quantise(samples, count, state, out, at)


@micropython.viper
def _within(value: int, limit: int) -> int:
    if value > limit:
        return limit
    if value < 0 - limit:
        return 0 - limit
    return value


@micropython.viper
def _shape(samples, count: int, state):
    """Set the filter's coefficients by the frame's autocorrelation at 0, 1 and 2, taken at every other sample."""
    x = ptr16(samples)
    s = ptr32(state)
    peak = 0
    i = 0
    while i < count:
        value = (int(x[i]) ^ 0x8000) - 0x8000
        peak |= value ^ value >> 31
        i += 2
    # 240 products of 8 bits and 16 fit in 32.
    shift = 0
    while peak >> shift > 255:
        shift += 1
    r0 = r1 = r2 = 0
    before = 0
    i = 2
    while i < count:
        value = ((int(x[i]) ^ 0x8000) - 0x8000) >> shift
        r0 += value * value
        r1 += value * (((int(x[i - 1]) ^ 0x8000) - 0x8000) >> shift)
        r2 += value * before
        before = value
        i += 2
    r0 += (2 * count >> 2 * shift) + 1  # a floor under silence: the least noise that the codes can make
    while r0 >= 1 << 18:
        r0 >>= 1
        r1 >>= 1
        r2 >>= 1
    # Levinson and Durbin: the reflection coefficients k1 and k2, from them the predictor's p1 and k2; Q12, and kept off 1.
    r1 = int(_within(r1, r0))
    k1 = r1 * 4080 // r0
    explained = (r1 >> 6) * k1 >> 6
    unexplained = r0 - explained
    if unexplained < 1:
        unexplained = 1
    k2 = int(_within(r2 - explained, unexplained)) * 4000 // unexplained
    p1 = k1 - (k1 * k2 >> 12)
    # 248 and 240 are 0.97 and its square in Q8, 179 and 125 are 0.7 and its square.
    s[HEARD] = BIAS + (p1 * (179 - 248) >> 10)
    s[HEARD + 1] = BIAS + (k2 * (125 - 240) >> 10)
    s[LEFT] = BIAS - (p1 * 179 >> 10)
    s[LEFT + 1] = BIAS - (k2 * 125 >> 10)


@micropython.viper
def _quantise(samples, count: int, state, out, at: int):
    """Find and write the codes. e and f are the last two errors through 1 / A(z / 0.7)."""
    x = ptr16(samples)
    codes = ptr8(out)
    levels = ptr16(_LEVELS)
    least = ptr16(_LEAST)
    next_row = ptr16(_NEXT)
    s = ptr32(state)
    value = int(s[VALUE]) - BIAS
    row = int(s[INDEX]) << 3
    e = int(s[ERRORS]) - BIAS
    f = int(s[ERRORS + 1]) - BIAS
    heard_e = int(s[HEARD]) - BIAS
    heard_f = int(s[HEARD + 1]) - BIAS
    left_e = int(s[LEFT]) - BIAS
    left_f = int(s[LEFT + 1]) - BIAS
    share = 1024 + heard_e  # of a change that the next sample sees
    last = count - 1
    coming = (int(x[0]) ^ 0x8000) - 0x8000
    low = 0
    for i in range(count):
        wanted = coming
        if i < last:
            coming = (int(x[i + 1]) ^ 0x8000) - 0x8000
        left = (left_e * e + left_f * f) >> 10
        distance = wanted - value - ((heard_e * e + heard_f * f) >> 10)
        sign = 0
        if distance < 0:
            sign = 8
            distance = 0 - distance
        cell = row
        if distance >= int(least[cell + 4]):
            cell += 4
        if distance >= int(least[cell + 2]):
            cell += 2
        if distance >= int(least[cell + 1]):
            cell += 1
        change = int(levels[cell])
        if cell & 7 >= 3:
            beyond = coming - value - ((heard_e * (value - wanted - left) + heard_f * e) >> 10)
            if sign:
                beyond = 0 - beyond
            beyond -= change * share >> 10
            if beyond < 0:
                beyond = 0 - beyond
            beyond -= int(levels[int(next_row[cell]) + 7])
            if beyond > 0:
                cell += 1
                if beyond > int(levels[row + 4]):
                    cell += 1
                if cell > row + 7:
                    cell = row + 7
                change = int(levels[cell])
        code = cell & 7 | sign
        row = int(next_row[cell])
        if sign:
            change = 0 - change
        value += change
        if value > 32767:
            value = 32767
        elif value < -32768:
            value = -32768
        f = e
        e = value - wanted - left
        if i & 1:
            codes[at] = low | code << 4
            at += 1
        else:
            low = code
    s[VALUE] = value + BIAS
    s[INDEX] = row >> 3
    s[ERRORS] = e + BIAS
    s[ERRORS + 1] = f + BIAS
