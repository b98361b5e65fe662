"""Sound in: level, codec, gate and recorder, each by what it promises."""

import math
import random
from array import array

from card.capture import adpcm, level
from card.capture.gate import Gate, LevelDetector
from card.capture.recorder import FRAME_SAMPLES, Recorder, gain_q4
from wire import block


def words_of(samples, dc=0):
    return array("i", [((s << 16) + dc) for s in samples])


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


def test_samples_lose_their_offset_and_take_their_gain():
    samples = array("h", bytes(2 * 16000))
    for gain_db, factor in ((0, 1), (12, 4)):
        dc = level.new_dc()
        level.to_samples(words_of(tone(4000, 16000), 900 << 16), samples, 16000, gain_q4(gain_db), dc)
        late = samples[8000:]
        assert abs(sum(late) // len(late)) < 8, "an offset of 900 is gone after half a second"
        assert abs(max(late) - 4000 * factor) < 40 * factor


def test_gain_clips_and_never_wraps():
    samples = array("h", bytes(2 * 480))
    for extreme in (-32768, 32767):
        for gain_db in (0, 20, 42):
            level.to_samples(words_of([extreme, -extreme - 1] * 240), samples, 480, gain_q4(gain_db), level.new_dc())
            assert (samples[0] < 0) == (extreme < 0) and abs(samples[0]) > 32000


def test_levels_are_the_mean_and_the_peak():
    measured = array("i", (0, 0))
    level.measure(array("h", [0, -100, 300, -32768]), 4, measured)
    assert list(measured) == [(100 + 300 + 32768) // 4, 32768]


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


def test_the_gate_keeps_speech_with_its_surroundings_and_nothing_else():
    random.seed(4)
    for _ in range(200):
        pre_roll, hang_over = random.randrange(0, 12), random.randrange(0, 30)
        speech = [random.random() < 0.05 for _ in range(300)]
        gate = Gate(pre_roll, hang_over)
        kept = [gate.step(s) for s in speech + [False] * pre_roll][pre_roll:]
        for frame in range(300):
            near = range(max(0, frame - hang_over), min(300, frame + pre_roll + 1))
            assert kept[frame] == any(speech[n] for n in near)


def test_the_detector_tells_speech_from_a_steady_room():
    detector = LevelDetector()
    assert not any(detector.is_speech(m) for m in [60, 55, 62, 58] * 100)
    assert all(detector.is_speech(m) for m in [900, 2000, 700])
    for _ in range(1500):
        detector.is_speech(300)
    assert not detector.is_speech(300), "a louder room becomes the room"


class Sink:
    def __init__(self):
        self.audio_positions = []
        self.blocks = []

    def audio(self, page):
        padded = bytearray(b"\xff" * 4096)
        padded[256:512] = page
        (found,) = list(block.walk(padded))
        self.audio_positions.append(found.position)

    def block(self, kind, position, payload):
        self.blocks.append((kind, position, payload))


SETTINGS = {"pre_roll_ms": 300, "hang_over_ms": 800, "gate": 1, "gain_db": 0}


def test_kept_sound_and_gaps_fill_the_time_line_to_the_sample():
    random.seed(5)
    loud, quiet = words_of(tone(8000, 480)), words_of(tone(20, 480))
    for cut in (0, 1, 479, 480, 5000):
        for gate in (0, 1):
            settings = dict(SETTINGS)
            settings["gate"] = gate
            sink = Sink()
            recorder = Recorder(sink, settings)
            talk = 0
            for _ in range(400):
                talk = talk - 1 if talk else random.randrange(40) if random.random() < 0.02 else 0
                recorder.frame(loud if talk else quiet)
            end = recorder.position - cut
            recorder.finish(end)
            spans = [(p, FRAME_SAMPLES) for p in sink.audio_positions]
            spans += [(p, block.read_gap(payload).samples) for kind, p, payload in sink.blocks]
            at = 0
            for position, samples in sorted(spans):
                assert position == at
                at += samples
            assert end <= at < end + 2 * cut + FRAME_SAMPLES and recorder.written_position == end
            assert recorder.kept_samples == FRAME_SAMPLES * len(sink.audio_positions)
            assert gate or not sink.blocks


def test_a_long_silence_is_written_down_every_second():
    sink = Sink()
    recorder = Recorder(sink, SETTINGS)
    quiet = words_of(tone(20, 480))
    for _ in range(1000):
        recorder.frame(quiet)
        assert recorder.position - recorder.written_position <= 16000 + 300 * 16
    gaps = [block.read_gap(payload) for _, _, payload in sink.blocks]
    assert max(g.samples for g in gaps) <= 16000
    assert all(g.mean > 5 and g.peak >= g.mean for g in gaps)
