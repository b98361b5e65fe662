"""IMA ADPCM, 4 bits a sample (IMA Digital Audio Focus and Technical Working Group, 1992).

State: array('i') of predictor + 32768 and step index, both never negative, so that 32-bit loads need no sign.
"""

from array import array

# fmt: off
STEPS = array("H", (
    7, 8, 9, 10, 11, 12, 13, 14, 16, 17, 19, 21, 23, 25, 28, 31, 34, 37, 41, 45, 50, 55, 60, 66, 73, 80, 88, 97, 107,
    118, 130, 143, 157, 173, 190, 209, 230, 253, 279, 307, 337, 371, 408, 449, 494, 544, 598, 658, 724, 796, 876,
    963, 1060, 1166, 1282, 1411, 1552, 1707, 1878, 2066, 2272, 2499, 2749, 3024, 3327, 3660, 4026, 4428, 4871, 5358,
    5894, 6484, 7132, 7845, 8630, 9493, 10442, 11487, 12635, 13899, 15289, 16818, 18500, 20350, 22385, 24623, 27086,
    29794, 32767,
))
# fmt: on
# Index change of a code's lower three bits, plus one so that a byte holds it.
INDEX_STEPS = bytes((0, 0, 0, 0, 3, 5, 7, 9))


def new_state():
    return array("i", (32768, 0))


def put_state(state, out, at):
    """Write the block's four bytes of codec state: i16 predictor, u8 index, 0."""
    predictor = state[0] - 32768
    out[at] = predictor & 0xFF
    out[at + 1] = predictor >> 8 & 0xFF
    out[at + 2] = state[1]
    out[at + 3] = 0


@micropython.viper
def encode(samples, count: int, state, out, at: int):
    """Encode `count` (even) int16 samples into count/2 bytes of `out` from `at` on, low half first; `state` moves on."""
    x = ptr16(samples)
    codes = ptr8(out)
    steps = ptr16(STEPS)
    index_steps = ptr8(INDEX_STEPS)
    s = ptr32(state)
    predictor = int(s[0]) - 32768
    index = int(s[1])
    low = 0
    for i in range(count):
        difference = ((int(x[i]) ^ 0x8000) - 0x8000) - predictor
        step = int(steps[index])
        code = 0
        if difference < 0:
            code = 8
            difference = 0 - difference
        change = step >> 3
        if difference >= step:
            code |= 4
            difference -= step
            change += step
        step >>= 1
        if difference >= step:
            code |= 2
            difference -= step
            change += step
        step >>= 1
        if difference >= step:
            code |= 1
            change += step
        if code & 8:
            predictor -= change
            if predictor < -32768:
                predictor = -32768
        else:
            predictor += change
            if predictor > 32767:
                predictor = 32767
        index += int(index_steps[code & 7]) - 1
        if index < 0:
            index = 0
        elif index > 88:
            index = 88
        if i & 1:
            codes[at] = low | code << 4
            at += 1
        else:
            low = code
    s[0] = predictor + 32768
    s[1] = index
