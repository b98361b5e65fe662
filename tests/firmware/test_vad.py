"""The voice detector: what it takes, what it refuses, and that it costs no memory. That it decides rightly: test_vad_oracle."""

import math
import random
from array import array

import micropython

from card.capture.vad import FRAMES_SAMPLES, MODES, Detector

PAIRS = [(mode, frame_samples) for mode in MODES for frame_samples in FRAMES_SAMPLES]

# Noise means and deviations, speech means and deviations, minima after the workout in mode 3: read from the memory of
# the original, which does not show them. Decisions alone would forgive small errors.
AFTER_WORKOUT_160 = [
    [3564, 3983, 3928, 4045, 4117, 3889, 3766, 3828, 3928, 4167, 4191, 4037],
    [468, 1067, 522, 591, 685, 599, 474, 697, 475, 688, 421, 455],
    [10124, 11354, 10231, 12154, 12154, 9477, 11814, 10643, 11859, 8300, 9296, 10901],
    [574, 587, 657, 613, 616, 1244, 583, 930, 608, 1542, 1095, 924],
    [464, 488, 491, 513, 520, 501],
]
AFTER_WORKOUT_480 = [
    [4392, 4777, 4849, 4708, 4490, 4501, 4708, 4603, 4902, 4863, 4623, 4684],
    [433, 1083, 543, 586, 662, 584, 474, 697, 475, 688, 421, 455],
    [10109, 11401, 10381, 12090, 12160, 9543, 11932, 10800, 11839, 8320, 9388, 10864],
    [598, 570, 627, 614, 619, 1244, 590, 936, 631, 1540, 1088, 918],
    [578, 586, 609, 598, 571, 581],
]


def frame(samples):
    return array("h", samples)


def talk(frame_samples, frames):
    """A buzz of 120 Hz in syllables over a little noise."""
    random.seed(6)
    for n in range(frames):
        start = n * frame_samples
        loud = 6000 if start % 6400 < 4000 else 0
        yield frame(
            [
                int(loud * ((start + i) % 133 < 8) + 900 * loud / 6000 * math.sin(0.6 * (start + i)))
                + random.randrange(-8, 9)
                for i in range(frame_samples)
            ]
        )


def workout(frame_samples, frames):
    """Noise and square waves at all levels between stretches of faint noise, made of small integers alone."""
    noise = 1
    for n in range(frames):
        noise_shift, wave, period = 9 + n // 7 % 3, 0, 1
        if n // 30 % 2:
            noise_shift, wave, period = n * n // 60 % 16, 32000 >> n // 9 % 13, 20 + n * 7 % 150
        samples = array("h", bytes(2 * frame_samples))
        for i in range(frame_samples):
            noise = noise * 75 % 65537
            sample = ((noise - 32769) >> noise_shift) + (wave if i % period * 2 < period else 0 - wave)
            samples[i] = max(-32768, min(32767, sample))
        yield samples


def refuses(call, *arguments):
    try:
        call(*arguments)
    except ValueError:
        return True
    return False


def test_speech_is_told_from_silence_in_every_mode_and_length():
    for mode, frame_samples in PAIRS:
        detector = Detector(mode, frame_samples)
        silence = frame([0] * frame_samples)
        assert not any([detector.is_speech(silence) for _ in range(20)])
        assert any([detector.is_speech(samples) for samples in talk(frame_samples, 24000 // frame_samples)])
        assert not [detector.is_speech(silence) for _ in range(20)][-1], "hang-over ends"


def test_a_frame_of_the_wrong_length_is_refused_and_changes_nothing():
    for frame_samples in FRAMES_SAMPLES:
        detector, twin = Detector(1, frame_samples), Detector(1, frame_samples)
        for samples in talk(frame_samples, 40):
            for wrong in (0, 1, frame_samples - 1, frame_samples + 1, 2 * frame_samples):
                assert refuses(detector.is_speech, frame([9000] * wrong))
            assert detector.is_speech(samples) == twin.is_speech(samples)


def test_unknown_modes_and_lengths_are_refused():
    for mode, frame_samples in ((-1, 480), (4, 480), (0, 0), (0, 240), (0, 640)):
        assert refuses(Detector, mode, frame_samples)


def test_a_reset_detector_is_a_new_one():
    for mode, frame_samples in PAIRS:
        used, new = Detector(mode, frame_samples), Detector(mode, frame_samples)
        for n in range(30):
            used.is_speech(frame([(n * i * 37) % 20000 - 10000 for i in range(frame_samples)]))
        used.reset()
        for samples in talk(frame_samples, 100):
            assert used.is_speech(samples) == new.is_speech(samples)
        assert state(used) == state(new)


def test_the_models_inside_are_those_of_the_original():
    for frame_samples, expected in ((160, AFTER_WORKOUT_160), (480, AFTER_WORKOUT_480)):
        detector = Detector(3, frame_samples)
        for samples in workout(frame_samples, 400):
            detector.is_speech(samples)
        noise, speech = detector._noise, detector._speech
        parts = (noise.means, noise.deviations, speech.means, speech.deviations, detector._minimum.minima)
        assert [list(part) for part in parts] == expected


def test_streams_do_not_touch_each_other_nor_the_samples():
    alone, beside, other = Detector(0, 320), Detector(0, 320), Detector(3, 320)
    for samples in talk(320, 100):
        before = bytes(samples)
        decision = alone.is_speech(samples)
        other.is_speech(frame([random.getrandbits(16) - 32768 for _ in range(320)]))
        assert beside.is_speech(samples) == decision and bytes(samples) == before


def test_a_frame_allocates_nothing():
    random.seed(7)
    loud = frame([random.getrandbits(16) - 32768 for _ in range(480)])
    lowest = frame([-32768] * 480)
    silence = frame([0] * 480)
    for mode in MODES:
        detector = Detector(mode)
        micropython.heap_lock()
        for _ in range(150):
            detector.is_speech(loud)
            detector.is_speech(lowest)
            detector.is_speech(silence)
        micropython.heap_unlock()


def state(thing):
    """All numbers that a detector holds, in a comparable form."""
    if hasattr(thing, "__dict__"):
        return [(name, state(value)) for name, value in sorted(thing.__dict__.items())]
    return list(thing) if isinstance(thing, (array, tuple)) else thing
