"""Sound in: level, codec, gate and recorder, each by what it promises."""

import math
import random
from array import array

from card.capture import adpcm


def tone(amplitude, count, hz=440):
    return [int(amplitude * math.sin(2 * math.pi * hz * n / 16000)) for n in range(count)]


def decode(payload):
    """A plain decoder after the IMA recommendation, for the encoder to be held against."""
    predictor = payload[0] | payload[1] << 8
    predictor -= (predictor & 0x8000) << 1
    index = payload[2]
    samples = []
    for n in range(2 * (len(payload) - 4)):
        code = payload[4 + n // 2] >> 4 * (n & 1) & 15
        step = adpcm.STEPS[index]
        change = (
            (step >> 3) + (step if code & 4 else 0) + (step >> 1 if code & 2 else 0) + (step >> 2 if code & 1 else 0)
        )
        predictor = max(-32768, min(32767, predictor - change if code & 8 else predictor + change))
        index = max(0, min(88, index + (-1, -1, -1, -1, 2, 4, 6, 8)[code & 7]))
        samples.append(predictor)
    return samples, index


def encode(samples, state):
    payload = bytearray(4 + len(samples) // 2)
    adpcm.put_state(state, payload, 0)
    adpcm.encode(array("h", samples), len(samples), state, payload, 4)
    return payload


def test_the_decoder_follows_the_encoder_exactly():
    random.seed(3)
    kinds = (
        tone(12000, 480),
        [random.getrandbits(16) - 32768 for _ in range(480)],
        [32767, -32768] * 240,
        [0] * 480,
    )
    state = adpcm.new_state()
    for samples in kinds + kinds:
        payload = encode(samples, state)
        decoded, index = decode(payload)
        assert decoded[-1] == state[0] - 32768 and index == state[1]


def test_speech_levels_come_through_the_codec():
    state = adpcm.new_state()
    clean, noise = 0, 0
    for _ in range(20):
        samples = [a + b for a, b in zip(tone(6000, 480, 300), tone(2000, 480, 1700))]
        for wanted, got in zip(samples, decode(encode(samples, state))[0]):
            clean += wanted * wanted
            noise += (wanted - got) * (wanted - got)
    assert 10 * math.log(clean / noise) / math.log(10) > 25
