"""IMA ADPCM, 4 bits a sample (IMA Digital Audio Focus and Technical Working Group, 1992): any IMA decoder reads the codes.

The encoder does two things more than the standard's, which no decoder needs to know of:

* It shapes its noise (Atal and Schroeder, "Predictive coding of speech signals and subjective error criteria", 1979): with A the
  prediction error filter of the frame, it keeps the error as heard through A(z / 0.98) small and white, so that the noise follows
  the sound's spectrum. The frame is emphasised first, because ears and recognisers hear in bands that widen with frequency, and
  hiss above 6.8 kHz is added to its autocorrelation, because that is where noise harms speech least.
* It searches (the M-algorithm: Anderson and Bodie, "Tree encoding of speech", 1975): at each sample SURVIVORS ways of coding the
  frame go on, of which no two have the same step. Each tries the nearest code, and the next larger one for the step it leads to.

Arrays of 32 bits hold values that are never negative, because such loads do not extend the sign on a 64-bit interpreter.
"""

from array import array

from micropython import const

ORDER = const(12)
SURVIVORS = const(3)
MOST_SAMPLES = const(480)

# The state of an encoder.
BIAS = const(1 << 29)  # what VALUE, FILTER and ERRORS are stored with
VALUE = const(0)
INDEX = const(1)
SHAPED = const(2)
FILTER = const(3)  # of the error as heard, Q8
ERRORS = const(15)  # what past errors add to the samples to come, Q8: the filter's memory in transposed form

# A survivor: 16 integers, which are the filter's memory and these.
_VALUE = const(12)
_ROW = const(13)  # first cell of the step index
_COST = const(14)

# A candidate: cost in the upper bits, then 2 bits for the survivor it comes from, then its code.
_COST_BITS = const(6)
_NO_CANDIDATE = const((1 << 30) - 1)

_ZERO = const(512)  # of emphasised samples, which are 10 bits
_BEYOND = const(24)  # zeros after them, for the lags and for a last eight that is not full
# Where the sum of the coefficients' sizes (Q12) ends the recursion. It then stays below 15; so an error below 2 ** 16, through two
# such filters (they meet where a frame begins), stays below BIAS in Q8.
_MOST_FILTER = const(7 << 12)

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
# nearer, and the step index that follows.
_LEVELS = array("H", [_level(step, code) for step in STEPS for code in range(8)])
_LEAST = array("H", [(_LEVELS[n] + _LEVELS[n - 1] + 1) // 2 if n & 7 else 0 for n in range(len(_LEVELS))])
_NEXT = array("H", [max(0, min(88, index + change)) for index in range(89) for change in _INDEX_CHANGES])

# Autocorrelation of hiss from 6.8 to 8 kHz with half the sound's power, Q10: -512 sin(0.85 pi k) / (0.15 pi k).
_HISS = array("i", [BIAS + value for value in (512, -493, 439, -358, 258, -154, 56, 24, -80, 108, -109, 88, -53)])

# What the work on one frame needs; nothing in it outlasts the frame.
_emphasised = array("H", [0] * (MOST_SAMPLES + _BEYOND))
_lags = array("i", [0] * (ORDER + 1))
_survivors = array("i", [0] * (2 * SURVIVORS << 4))
_best = array("i", [_NO_CANDIDATE] * len(STEPS))  # the cheapest candidate that leads to a step index
_reached = bytearray(2 * SURVIVORS)  # the step indices that have one
# The last byte tells which survivor is the best in the end.
_paths = bytearray(MOST_SAMPLES * SURVIVORS + 1)  # for each sample and survivor: where it came from << 4 | code


def new_state(shaped=True):
    """State of an encoder. Where `shaped` is false the filter's coefficients stay 0, which leaves the noise white."""
    return array("i", [BIAS, 0, 1 if shaped else 0] + [BIAS] * (2 * ORDER))


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
        shift = _emphasise(samples, count)
        _correlate(_emphasised, _emphasised, 0, count, shift)
        _predict(state)
    _search(_survivors, _survivors, 0, samples, count, state)
    _trace(count, out, at)


@micropython.viper
def _emphasise(samples, count: int) -> int:
    """Fill _emphasised with each sample less 3/4 of the one before, scaled to 10 bits; return the shift that took."""
    x = ptr16(samples)
    y = ptr16(_emphasised)
    first = (int(x[0]) ^ 0x8000) - 0x8000
    before = first
    peak = 0
    for i in range(count):
        value = (int(x[i]) ^ 0x8000) - 0x8000
        change = value - (3 * before >> 2)
        peak |= change ^ change >> 31
        before = value
    shift = 0
    while peak >> shift >= _ZERO:
        shift += 1
    before = first
    for i in range(count):
        value = (int(x[i]) ^ 0x8000) - 0x8000
        y[i] = _ZERO + (value - (3 * before >> 2) >> shift)
        before = value
    for i in range(count, count + _BEYOND):
        y[i] = 0
    return shift


@micropython.viper
def _correlate(early: ptr16, late: ptr16, products: int, count: int, shift: int):
    """Fill _lags with the autocorrelation of _emphasised at 0 to ORDER, scaled to 14 bits, and hiss.

    The first three stay in registers; `early` and `late` begin as _emphasised."""
    lags = ptr32(_lags)
    hiss = ptr32(_HISS)
    start = int(early)
    end = start + (count << 1)
    factors = 0  # the sum of both factors of all products
    while int(early) < end:
        factors += int(early[0]) << 1
        early = ptr16(int(early) + 2)
    down = 0
    power = 0
    for lag in range(ORDER + 1):
        # 480 products of 10 bits and 10, which have no sign, fit in 32.
        products = 0
        early = ptr16(start)
        late = ptr16(start + (lag << 1))
        while int(early) < end:
            products += int(early[0]) * int(late[0])
            products += int(early[1]) * int(late[1])
            products += int(early[2]) * int(late[2])
            products += int(early[3]) * int(late[3])
            products += int(early[4]) * int(late[4])
            products += int(early[5]) * int(late[5])
            products += int(early[6]) * int(late[6])
            products += int(early[7]) * int(late[7])
            early = ptr16(int(early) + 16)
            late = ptr16(int(late) + 16)
        products += _ZERO * (_ZERO * (count - lag) - factors)
        early = ptr16(start + (lag << 1))
        late = ptr16(end - 2 - (lag << 1))
        factors -= int(early[0]) + int(late[0])
        if lag == 0:
            # A floor 18 dB below the sound, and one under silence: the least noise that the codes can make.
            products += (products >> 6) + (4 * count >> 2 * shift) + 1
            while products >> down >= 1 << 13:
                down += 1
            power = products >> down
        lags[lag] = BIAS + (products >> down) + (power * (int(hiss[lag]) - BIAS) >> 10)


@micropython.viper
def _predict(state):
    """Set the filter's coefficients from _lags (Levinson and Durbin), short of ORDER where they would become too large."""
    r = ptr32(_lags)
    a = ptr32(state)
    for j in range(FILTER, FILTER + ORDER):
        a[j] = BIAS
    unexplained = int(r[0]) - BIAS << 4
    size = 0
    order = 0
    while order < ORDER and size < _MOST_FILTER:
        left = int(r[order + 1]) - BIAS << 12
        for j in range(order):
            left += (int(a[FILTER + j]) - BIAS) * (int(r[order - j]) - BIAS)
        k = 0 - left // (unexplained >> 4)  # Q12, as the coefficients for now
        if k > 4000:
            k = 4000
        elif k < -4000:
            k = -4000
        low = 0
        high = order - 1
        while low <= high:
            p = int(a[FILTER + low]) - BIAS
            q = int(a[FILTER + high]) - BIAS
            a[FILTER + low] = BIAS + p + (k * q + 2048 >> 12)
            a[FILTER + high] = BIAS + q + (k * p + 2048 >> 12)
            low += 1
            high -= 1
        a[FILTER + order] = BIAS + k
        unexplained -= (unexplained * k >> 12) * k >> 12
        if unexplained < 16:
            unexplained = 16
        order += 1
        size = 0
        for j in range(order):
            p = int(a[FILTER + j]) - BIAS
            size += p ^ p >> 31
    share = 1024
    for j in range(FILTER, FILTER + ORDER):
        share = share * 251 >> 8  # 0.98
        a[j] = BIAS + ((int(a[j]) - BIAS) * share + 8192 >> 14)


@micropython.viper
def _search(old: ptr32, new: ptr32, error: int, samples, count: int, state):
    """Fill _paths, and move `state` on to the end of the best path.

    `old` and `new` begin as _survivors: one half of it holds a sample's, the other the next sample's. The first three arguments
    stay in registers, so they serve wherever the work is."""
    x = ptr16(samples)
    s = ptr32(state)
    levels = ptr16(_LEVELS)
    least = ptr16(_LEAST)
    next_index = ptr16(_NEXT)
    best = ptr32(_best)
    reached = ptr8(_reached)
    paths = ptr8(_paths)
    a1 = int(s[FILTER]) - BIAS
    a2 = int(s[FILTER + 1]) - BIAS
    a3 = int(s[FILTER + 2]) - BIAS
    a4 = int(s[FILTER + 3]) - BIAS
    a5 = int(s[FILTER + 4]) - BIAS
    a6 = int(s[FILTER + 5]) - BIAS
    a7 = int(s[FILTER + 6]) - BIAS
    a8 = int(s[FILTER + 7]) - BIAS
    a9 = int(s[FILTER + 8]) - BIAS
    a10 = int(s[FILTER + 9]) - BIAS
    a11 = int(s[FILTER + 10]) - BIAS
    a12 = int(s[FILTER + 11]) - BIAS
    now = int(old)
    then = now + (SURVIVORS << 6)
    for j in range(ORDER):
        old[j] = s[ERRORS + j]
    old[_VALUE] = s[VALUE]
    old[_ROW] = int(s[INDEX]) << 3
    old[_COST] = 0
    kept = 1
    path = 0
    base = 0
    for i in range(count):
        wanted = (int(x[i]) ^ 0x8000) - 0x8000 + BIAS
        survivors = kept
        kept = 0
        origin = 0
        while origin < survivors << 4:
            old = ptr32(now + (origin << 2))
            error = wanted - int(old[_VALUE]) - (int(old[0]) - BIAS >> 8)
            start = origin
            if error < 0:
                start += 8
                error = 0 - error
            cell = int(old[_ROW])
            if error >= int(least[cell + 4]):
                cell += 4
            if error >= int(least[cell + 2]):
                cell += 2
            if error >= int(least[cell + 1]):
                cell += 1
            # Codes up to 3 all lead to the same step, and 7 is the largest.
            last = cell
            if cell + 1 & 4:
                last = cell + 1
            while cell <= last:
                size = int(levels[cell]) - error
                if size < 0:
                    size = 0 - size
                candidate = (int(old[_COST]) + size << _COST_BITS) + start + (cell & 7)
                index = int(next_index[cell])
                known = int(best[index])
                if candidate < known:
                    best[index] = candidate
                    if known == _NO_CANDIDATE:
                        reached[kept] = index
                        kept += 1
                cell += 1
            origin += 16
        while kept > SURVIVORS:
            worst = 0
            dropped = 0
            for j in range(kept):
                candidate = int(best[reached[j]])
                if candidate > worst:
                    worst = candidate
                    dropped = j
            kept -= 1
            best[reached[dropped]] = _NO_CANDIDATE
            reached[dropped] = reached[kept]
        lowest = _NO_CANDIDATE
        new = ptr32(then)
        for j in range(kept):
            index = int(reached[j])
            candidate = int(best[index])
            best[index] = _NO_CANDIDATE
            paths[path + j] = candidate & 0x3F
            old = ptr32(now + (candidate << 2 & 0xC0))
            error = int(levels[int(old[_ROW]) + (candidate & 7)])
            if candidate & 8:
                error = 0 - error
            error += int(old[_VALUE])
            if error > BIAS + 32767:
                error = BIAS + 32767
            elif error < BIAS - 32768:
                error = BIAS - 32768
            new[_VALUE] = error
            new[_ROW] = index << 3
            cost = candidate >> _COST_BITS
            if cost < lowest:
                lowest = cost
            new[_COST] = cost - base
            error -= wanted
            new[0] = a1 * error + int(old[1])
            new[1] = a2 * error + int(old[2])
            new[2] = a3 * error + int(old[3])
            new[3] = a4 * error + int(old[4])
            new[4] = a5 * error + int(old[5])
            new[5] = a6 * error + int(old[6])
            new[6] = a7 * error + int(old[7])
            new[7] = a8 * error + int(old[8])
            new[8] = a9 * error + int(old[9])
            new[9] = a10 * error + int(old[10])
            new[10] = a11 * error + int(old[11])
            new[11] = a12 * error + BIAS
            new = ptr32(int(new) + 64)
        path += SURVIVORS
        # Costs count from the least of the sample before.
        base = lowest - base
        swapped = now
        now = then
        then = swapped
    lowest = _NO_CANDIDATE
    for j in range(kept):
        old = ptr32(now + (j << 6))
        if int(old[_COST]) < lowest:
            lowest = int(old[_COST])
            new = ptr32(int(old))
            paths[path] = j
    for j in range(ORDER):
        s[ERRORS + j] = new[j]
    s[VALUE] = new[_VALUE]
    s[INDEX] = int(new[_ROW]) >> 3


@micropython.viper
def _trace(count: int, out, at: int):
    """Write the codes of the best path, from its end back to its beginning."""
    codes = ptr8(out)
    paths = ptr8(_paths)
    path = count * SURVIVORS
    survivor = int(paths[path])
    i = count >> 1
    while i:
        i -= 1
        path -= SURVIVORS
        high = int(paths[path + survivor])
        path -= SURVIVORS
        low = int(paths[path + (high >> 4)])
        survivor = low >> 4
        codes[at + i] = (high & 15) << 4 | low & 15
