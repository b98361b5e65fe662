"""The logarithm of a band's energy."""

from array import array

from micropython import const

MIN_ENERGY = const(10)  # a frame whose bands hold no more than this together is not worth a decision

_LOG_10 = const(24660)  # 160 * log10(2), Q9: 10 * log10 in Q4 from log2
_INTEGER_PART = const(14 << 10)  # log2 of a number of 15 bits, Q10
# What equalises the bands' lengths, Q4, from the lowest band on.
_OFFSETS = array("h", (368, 368, 272, 176, 176, 176))


@micropython.viper
def log_energy(samples, count: int, band: int, features, total: int) -> int:
    """Set `features[band]` to 10 * log10(energy) in Q4 of `count` samples.

    Returns the total energy of the bands so far, exact only up to 10 (MIN_ENERGY)."""
    x = ptr16(samples)
    offsets = ptr16(_OFFSETS)
    feature = ptr16(features)

    peak = 0
    for i in range(count):
        sample = (int(x[i]) ^ 0x8000) - 0x8000
        if sample < 0:
            sample = 0 - sample
        if sample > peak and sample < 0x8000:  # in int16 the absolute value of -32768 is itself
            peak = sample

    # Shifts that make `count` squares of the peak fit 31 bits: the sum of both bit lengths less 31.
    shifts = -31
    bits = count
    while bits:
        bits >>= 1
        shifts += 1
    bits = peak * peak
    while bits:
        bits >>= 1
        shifts += 1
    if shifts < 0:
        shifts = 0

    energy = 0
    for i in range(count):
        sample = (int(x[i]) ^ 0x8000) - 0x8000
        energy += sample * sample >> shifts  # wraps where all samples are -32768
    if energy & 0xFFFF == 0 and energy >> 16 & 0xFFFF == 0:
        feature[band] = int(offsets[band])
        return total

    # Normalise the energy, 32 bits without a sign, to 15 bits.
    if energy >> 16 & 0xFFFF:
        energy = (energy >> 16 & 0xFFFF) << 15 | (energy & 0xFFFF) >> 1
        shifts += 1
    else:
        energy &= 0xFFFF
    while energy >= 1 << 15:
        energy >>= 1
        shifts += 1
    while energy < 1 << 14:
        energy <<= 1
        shifts -= 1

    log2 = _INTEGER_PART + ((energy & 0x3FFF) >> 4)  # Q10, linear between powers of two
    value = (_LOG_10 * log2 >> 19) + (_LOG_10 * shifts >> 9)  # Q4
    if value < 0:
        value = 0
    feature[band] = value + int(offsets[band])
    if total <= MIN_ENERGY:
        total += (MIN_ENERGY + 1) if shifts >= 0 else energy >> (0 - shifts)
    return total
