"""From microphone words to samples: no offset, the right gain, and never a clipped or wrapped sample."""

import math
from array import array

from card.capture import level
from card.capture.gain import UNITY_Q8, make_gain
from card.settings import AUTO

FRAME = 480


def tone(amplitude, count, hz=440):
    return [int(amplitude * math.sin(2 * math.pi * hz * n / 16000)) for n in range(count)]


def words_of(samples, dc=0):
    return array("i", [(s << 16) + dc for s in samples])


def through(gain, frames, speech=True, dc=0):
    """Samples of frames (lists of microphone samples) after DC removal and gain."""
    state = level.new_dc()
    out = []
    for samples in frames:
        words, heard = words_of(samples, dc), array("h", bytes(2 * len(samples)))
        peak = level.remove_dc(words, len(samples), state)
        level.apply_gain(words, heard, len(samples), gain.for_frame(peak))
        gain.learn(speech)
        out.append(heard)
    return out


def test_samples_lose_their_offset_and_take_their_gain():
    for gain_db, factor in ((0, 1), (12, 4)):
        (samples,) = through(make_gain(gain_db), [tone(4000, 16000)], dc=900 << 16)
        late = samples[8000:]
        assert abs(sum(late) // len(late)) < 8, "an offset of 900 is gone after half a second"
        assert abs(max(late) - 4000 * factor) < 40 * factor


def test_a_fixed_gain_clips_and_never_wraps():
    for extreme in (-32768, 32767):
        for gain_db in (0, 21, 42):
            (samples,) = through(make_gain(gain_db), [[extreme, -extreme - 1] * 240])
            assert (samples[0] < 0) == (extreme < 0) and abs(samples[0]) > 32000


def test_levels_are_the_mean_and_the_peak():
    measured = array("i", (0, 0))
    level.measure(array("h", [0, -100, 300, -32768]), 4, measured)
    assert list(measured) == [(100 + 300 + 32768) // 4, 32768]


def test_the_automatic_gain_brings_quiet_speech_up_within_seconds():
    frames = through(make_gain(AUTO), [tone(150, FRAME)] * 200)
    assert max(frames[0]) < 200
    assert 9000 < max(frames[-1]) < 16000
    assert max(frames[100]) > 9000


def test_the_automatic_gain_never_clips_whatever_follows_whatever():
    gain = make_gain(AUTO)
    through(gain, [tone(60, FRAME)] * 400)
    for amplitude in (60, 32000, 60, 9000, 300, 31000):
        for samples in through(gain, [tone(amplitude, FRAME, 333)] * 3):
            assert max(samples) <= 32767 and min(samples) >= -32767
            assert max(samples) < amplitude * 130
        flat = sum(1 for s in samples if abs(s) >= 32760)
        assert flat <= FRAME // 12, "a sine touches its peak, it does not sit on it"


def test_the_automatic_gain_leaves_a_quiet_room_quiet_and_loud_speech_alone():
    gain = make_gain(AUTO)
    frames = through(gain, [tone(20, FRAME)] * 300, speech=False)
    assert max(frames[-1]) <= 20
    frames = through(gain, [tone(16000, FRAME)] * 300)
    assert abs(max(frames[-1]) - 16000) < 200
    assert gain.for_frame(0) == UNITY_Q8


def test_what_no_microphone_sends_is_told_from_the_quietest_room():
    quiet = array("i", [(5 << 16) + ((n & 1) << 8) for n in range(480)])
    full = array("i", [0x7FFFFF00 if n & 1 else -0x80000000 for n in range(480)])
    for words in (bytes(1920), full, array("i", [-0x80000000] * 480), array("i", [-256] * 480)):
        assert level.is_dead(words, 480)
    loud = array("i", full)
    loud[479] = 0x7FFF0000 - (1 << 16)  # one word below the end of the scale
    for words in (quiet, loud):
        assert not level.is_dead(words, 480)
