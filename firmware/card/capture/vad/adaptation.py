"""How the mixtures learn: a frame moves the Gaussians of what it was taken for, and noise follows the tracked minimum.

Deviations move before means, since both steps start from the old means.
"""

from array import array

from micropython import const

from .model import NOISE_WEIGHTS, SPEECH_WEIGHTS

_BANDS = const(6)
_GAUSSIANS = const(12)
_MIN_DEVIATION = const(384)  # Q7
_NOISE_RATE = const(655)  # Q15, 0.02
_SPEECH_RATE = const(6554)  # Q15, 0.2
_PULL = const(154)  # Q8, 0.6: of noise means to the minimum
_SPEECH_MARGIN = const(640)  # Q7, of a single mean above the limit of the weighted one

# From the lowest band on.
_MIN_DISTANCES = array("h", (544, 544, 576, 576, 576, 576))  # of speech above noise, Q5
_MAX_SPEECH = array("h", (11392, 11392, 11520, 11520, 11520, 11520))  # weighted mean of both Gaussians, Q7
_MAX_NOISE = array("h", (9216, 9088, 8960, 8832, 8704, 8576))  # the same, Q7
# In the original one variable limits single speech means and carries _MAX_SPEECH over from the band before.
_MAX_SPEECH_BEFORE = array("h", (12800, 11392, 11392, 11520, 11520, 11520))  # Q7


def adapt(speech_frame, features, minima, noise, speech):
    """Move the Mixtures `noise` and `speech` after a frame that was decided; features and minima are Q4."""
    if speech_frame:
        move_speech_deviations(features, speech.means, speech.deviations, speech.deltas, speech.shares)
        move_speech_means(speech.means, speech.deltas, speech.shares)
    else:
        move_noise_deviations(features, noise.means, noise.deviations, noise.deltas, noise.shares)
    move_noise_means(speech_frame, minima, noise.means, noise.deltas, noise.shares)
    keep_apart(noise.means, speech.means)


@micropython.viper
def move_speech_deviations(features, means, deviations, deltas, shares):
    x = ptr16(features)
    m = ptr16(means)
    s = ptr16(deviations)
    d = ptr16(deltas)
    share = ptr16(shares)
    for n in range(_GAUSSIANS):
        mean = (int(m[n]) ^ 0x8000) - 0x8000
        delta = (int(d[n]) ^ 0x8000) - 0x8000
        deviation = int(s[n])
        distance = int(x[n if n < _BANDS else n - _BANDS]) - (mean + 4 >> 3)  # Q4
        excess = (delta * distance >> 3) - 4096  # (x - mean)**2 / deviation**2 - 1, Q11 * Q4 >> 3 = Q12
        change = (int(share[n]) >> 2) * excess >> 4  # Q12 * Q12 >> 4 = Q20
        divisor = ((10 * deviation & 0xFFFF) ^ 0x8000) - 0x8000
        if divisor < 0:  # int16 in the original too, from a deviation of 3277 on
            divisor = 0 - divisor
            change = 0 - change
        if change > 0:
            step = change // divisor  # 0.1 * Q20 / Q7 = Q13
        else:
            step = 0 - (0 - change) // divisor
        deviation += step + 128 >> 8  # a quarter of it: Q13 >> 8 = Q7
        s[n] = deviation if deviation > _MIN_DEVIATION else _MIN_DEVIATION


@micropython.viper
def move_noise_deviations(features, means, deviations, deltas, shares):
    x = ptr16(features)
    m = ptr16(means)
    s = ptr16(deviations)
    d = ptr16(deltas)
    share = ptr16(shares)
    for n in range(_GAUSSIANS):
        mean = (int(m[n]) ^ 0x8000) - 0x8000
        delta = (int(d[n]) ^ 0x8000) - 0x8000
        deviation = int(s[n])
        distance = int(x[n if n < _BANDS else n - _BANDS]) - (mean >> 3)  # Q4
        excess = (delta * distance >> 3) - 4096  # (x - mean)**2 / deviation**2 - 1, Q12
        change = (int(share[n]) + 2 >> 2) * excess >> 14  # wraps at 32 bits before the shift; Q24 / 1024 >> 4 = Q20
        change = ((change & 0x3FFFF) ^ 0x20000) - 0x20000
        if change > 0:
            step = change // deviation  # Q20 / Q7 = Q13
        else:
            step = 0 - (0 - change) // deviation
        deviation += step + 32 >> 6  # Q7
        s[n] = deviation if deviation > _MIN_DEVIATION else _MIN_DEVIATION


@micropython.viper
def move_speech_means(means, deltas, shares):
    m = ptr16(means)
    d = ptr16(deltas)
    share = ptr16(shares)
    limits = ptr16(_MAX_SPEECH_BEFORE)
    for n in range(_GAUSSIANS):
        mean = (int(m[n]) ^ 0x8000) - 0x8000
        delta = (int(d[n]) ^ 0x8000) - 0x8000
        step = int(share[n]) * delta >> 11  # Q14
        step = ((step & 0xFFFF) ^ 0x8000) - 0x8000
        mean += (step * _SPEECH_RATE >> 21) + 1 >> 1  # Q14 * Q15 >> 22 = Q7
        least = 640 if n < _BANDS else 768
        limit = int(limits[n if n < _BANDS else n - _BANDS]) + _SPEECH_MARGIN
        if mean < least:
            mean = least
        if mean > limit:
            mean = limit
        m[n] = mean


@micropython.viper
def move_noise_means(speech_frame: int, minima, means, deltas, shares):
    minimum = ptr16(minima)
    m = ptr16(means)
    d = ptr16(deltas)
    share = ptr16(shares)
    weights = ptr8(NOISE_WEIGHTS)
    for band in range(_BANDS):
        first = (int(m[band]) ^ 0x8000) - 0x8000
        second = (int(m[band + _BANDS]) ^ 0x8000) - 0x8000
        common = first * int(weights[band]) + second * int(weights[band + _BANDS]) >> 6  # Q14 >> 6 = Q8
        pull = (int(minimum[band]) << 4) - common  # Q8
        pull = (((pull & 0xFFFF) ^ 0x8000) - 0x8000) * _PULL >> 9  # Q7
        for k in range(2):
            n = band + k * _BANDS
            mean = ((int(m[n]) ^ 0x8000) - 0x8000) + pull
            if not speech_frame:
                step = int(share[n]) * ((int(d[n]) ^ 0x8000) - 0x8000) >> 11  # Q14
                step = ((step & 0xFFFF) ^ 0x8000) - 0x8000
                mean += step * _NOISE_RATE >> 22  # Q14 * Q15 >> 22 = Q7
            least = k + 5 << 7
            limit = 72 + k - band << 7
            if mean < least:
                mean = least
            if mean > limit:
                mean = limit
            m[n] = mean


@micropython.viper
def keep_apart(noise_means, speech_means):
    """Keep each band's speech well above its noise, and both below their limits."""
    noise = ptr16(noise_means)
    speech = ptr16(speech_means)
    noise_weights = ptr8(NOISE_WEIGHTS)
    speech_weights = ptr8(SPEECH_WEIGHTS)
    distances = ptr16(_MIN_DISTANCES)
    max_noise = ptr16(_MAX_NOISE)
    max_speech = ptr16(_MAX_SPEECH)
    for band in range(_BANDS):
        other = band + _BANDS
        noise_1 = (int(noise[band]) ^ 0x8000) - 0x8000
        noise_2 = (int(noise[other]) ^ 0x8000) - 0x8000
        speech_1 = (int(speech[band]) ^ 0x8000) - 0x8000
        speech_2 = (int(speech[other]) ^ 0x8000) - 0x8000
        noise_mean = noise_1 * int(noise_weights[band]) + noise_2 * int(noise_weights[other])  # Q14
        speech_mean = speech_1 * int(speech_weights[band]) + speech_2 * int(speech_weights[other])  # Q14
        rise = 0
        fall = 0
        lack = int(distances[band]) - ((speech_mean >> 9) - (noise_mean >> 9))  # Q5
        if lack > 0:
            rise = 13 * lack >> 2  # 0.8 of it, Q7
            fall = 3 * lack >> 2  # 0.2 of it, Q7
        over = (speech_mean >> 7) + rise - int(max_speech[band])  # Q7
        if over > 0:
            rise -= over
        over = (noise_mean >> 7) - fall - int(max_noise[band])  # Q7
        if over > 0:
            fall += over
        speech[band] = speech_1 + rise
        speech[other] = speech_2 + rise
        noise[band] = noise_1 - fall
        noise[other] = noise_2 - fall
