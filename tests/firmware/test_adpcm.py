"""The codec: a decoder hears what the encoder meant, any block alone, on both interpreters the same, in memory made once."""

import math
from array import array
from binascii import crc32

import micropython

from card.capture import adpcm

FRAME_SAMPLES = 480
MODES = (True, False)


def tone(amplitude, count, hz=440):
    return [int(amplitude * math.sin(2 * math.pi * hz * n / 16000)) for n in range(count)]


def hiss(count, bits=16):
    """The same integers everywhere: a linear congruential generator (Numerical Recipes)."""
    seed, samples = 1, []
    for _ in range(count):
        seed = (seed * 1664525 + 1013904223) & 0xFFFFFFFF
        samples.append((seed >> 16) - 32768 >> 16 - bits)
    return samples


def kinds():
    """Frames of quiet and loud, slow and fast sound; the last leaves nothing for the filter's second coefficient."""
    return (
        tone(12000, FRAME_SAMPLES),
        hiss(FRAME_SAMPLES),
        [32767, -32768] * (FRAME_SAMPLES // 2),
        [0] * FRAME_SAMPLES,
        hiss(FRAME_SAMPLES, 7),
        tone(300, FRAME_SAMPLES, 3000),
        [0, 32767] * (FRAME_SAMPLES // 2),
        [-32768] * FRAME_SAMPLES,
        [32767, -32768, 7 << 7, 0, 3 << 7, 0, 2 << 7] + [0] * (FRAME_SAMPLES - 7),
    )


def noisy_voice(frames):
    samples = zip(tone(6000, frames * FRAME_SAMPLES, 211), tone(900, frames * FRAME_SAMPLES, 1733))
    samples = [a + b + c for (a, b), c in zip(samples, hiss(frames * FRAME_SAMPLES, 10))]
    return [samples[at : at + FRAME_SAMPLES] for at in range(0, len(samples), FRAME_SAMPLES)]


def decode(codes, value, index):
    """A plain decoder after the IMA recommendation, for the encoder to be held against: samples, and the state it ends in."""
    samples = []
    for n in range(2 * len(codes)):
        code = codes[n // 2] >> 4 * (n & 1) & 15
        step = adpcm.STEPS[index]
        change = (
            (step >> 3) + (step if code & 4 else 0) + (step >> 1 if code & 2 else 0) + (step >> 2 if code & 1 else 0)
        )
        value = max(-32768, min(32767, value - change if code & 8 else value + change))
        index = max(0, min(88, index + (-1, -1, -1, -1, 2, 4, 6, 8)[code & 7]))
        samples.append(value)
    return samples, value, index


def decode_block(payload):
    value = payload[0] | payload[1] << 8
    return decode(payload[4:], value - ((value & 0x8000) << 1), payload[2])


def encode(samples, state):
    payload = bytearray(4 + len(samples) // 2)
    adpcm.put_state(state, payload, 0)
    adpcm.encode(array("h", samples), len(samples), state, payload, 4)
    return payload


def test_the_decoder_follows_the_encoder_exactly():
    for shaped in MODES:
        state = adpcm.new_state(shaped)
        for samples in kinds() + kinds():
            _, value, index = decode_block(encode(samples, state))
            assert value == state[adpcm.VALUE] - adpcm.BIAS and index == state[adpcm.INDEX]


def test_any_block_decodes_alone_as_in_sequence():
    for shaped in MODES:
        state = adpcm.new_state(shaped)
        value, index = 0, 0
        for samples in kinds() + kinds():
            payload = encode(samples, state)
            in_sequence, value, index = decode(payload[4:], value, index)
            assert decode_block(payload)[0] == in_sequence


def test_what_comes_back_is_near_what_went_in():
    for shaped, share in ((True, 0.6), (False, 0.33)):
        for hz in (100, 437, 1700, 3000):
            for amplitude in (200, 3000, 30000):
                state = adpcm.new_state(shaped)
                encode(tone(amplitude, FRAME_SAMPLES, hz), state)
                samples = tone(amplitude, FRAME_SAMPLES, hz)
                heard, _, _ = decode_block(encode(samples, state))
                assert max(abs(a - b) for a, b in zip(samples, heard)) < amplitude * share


def test_silence_after_the_loudest_noise_is_silence():
    for shaped in MODES:
        state = adpcm.new_state(shaped)
        encode(hiss(FRAME_SAMPLES), state)
        encode([0] * FRAME_SAMPLES, state)
        heard, _, _ = decode_block(encode([0] * FRAME_SAMPLES, state))
        assert max(abs(a) for a in heard) <= 8


def test_speech_levels_come_through_the_codec():
    for shaped, least_db in ((True, 20), (False, 25)):
        state = adpcm.new_state(shaped)
        clean, noise = 0, 0
        for _ in range(20):
            samples = [a + b for a, b in zip(tone(6000, FRAME_SAMPLES, 300), tone(2000, FRAME_SAMPLES, 1700))]
            for wanted, got in zip(samples, decode_block(encode(samples, state))[0]):
                clean += wanted * wanted
                noise += (wanted - got) * (wanted - got)
        assert 10 * math.log(clean / noise) / math.log(10) > least_db


def test_the_same_sound_gives_the_same_bytes_everywhere():
    checks = []
    for shaped in MODES:
        state, check = adpcm.new_state(shaped), 0
        for samples in noisy_voice(100) + list(kinds()):
            check = crc32(encode(samples, state), check)
        checks.append(check)
    assert checks == [3115565712, 3979917171]


def test_no_memory_is_taken_for_a_frame():
    samples, payload = array("h", hiss(FRAME_SAMPLES)), bytearray(244)
    for shaped in MODES:
        state = adpcm.new_state(shaped)
        micropython.heap_lock()
        try:
            adpcm.put_state(state, payload, 0)
            adpcm.encode(samples, FRAME_SAMPLES, state, payload, 4)
        finally:
            micropython.heap_unlock()
