"""The recorder: kept sound, gaps and losses fill the time line to the sample, and no frame allocates."""

import random
from array import array

import micropython

from card.capture.gain import make_gain
from card.capture.recorder import FRAME_SAMPLES, Recorder
from card.capture.vad import Detector
from card.settings import AUTO
from prepared import make_image, power_on
from test_level import tone, words_of
from wire import block

SETTINGS = {"pre_roll_ms": 300, "hang_over_ms": 800}
LOUD, QUIET = words_of(tone(8000, 480)), words_of(tone(20, 480))


class Sink:
    """Collects (kind, position, payload) of all blocks."""

    def __init__(self):
        self.blocks = []

    def audio(self, page):
        assert len(page) == 256
        self.append(page)

    def append(self, data):
        padded = bytearray(b"\xff" * 4096)
        padded[256 : 256 + len(data)] = data
        (found,) = list(block.walk(padded))
        payload = bytes(padded[found.payload_at : found.payload_at + found.payload_bytes])
        self.blocks.append((found.kind, found.position, payload))

    def of(self, kind):
        return [(position, payload) for k, position, payload in self.blocks if k == kind]


class Loudness:
    """Hears speech in whatever is loud."""

    def is_speech(self, samples):
        return max(samples) > 1000


def make_recorder(sink, detector):
    return Recorder(sink, SETTINGS, make_gain(0), detector)


def spans(sink):
    """(start, samples, kind) of everything that claims time, in order."""
    found = [(p, FRAME_SAMPLES, block.AUDIO) for p, _ in sink.of(block.AUDIO)]
    found += [(p, block.read_gap(payload).samples, block.GAP) for p, payload in sink.of(block.GAP)]
    found += [(p, block.read_event(payload).value, block.EVENT) for p, payload in sink.of(block.EVENT)]
    return sorted(found)


def talk(recorder, frames, on_frame=None):
    """Random speech of up to 1.2 s with pauses."""
    talking = 0
    for n in range(frames):
        talking = talking - 1 if talking else random.randrange(40) if random.random() < 0.02 else 0
        recorder.frame(array("i", LOUD if talking else QUIET))
        if on_frame:
            on_frame(n)


def test_kept_sound_and_gaps_fill_the_time_line_to_the_sample():
    random.seed(5)
    for cut in (0, 1, 479, 480, 5000):
        for detector in (None, Loudness()):
            sink = Sink()
            recorder = make_recorder(sink, detector)
            talk(recorder, 400)
            end = recorder.position - cut
            recorder.finish(end)
            at = 0
            for position, samples, _ in spans(sink):
                assert position == at
                at += samples
            assert end <= at < end + 2 * cut + FRAME_SAMPLES and recorder.written_position == end
            assert recorder.kept_samples == FRAME_SAMPLES * len(sink.of(block.AUDIO))
            assert detector or not sink.of(block.GAP)


def test_what_is_paused_or_withheld_is_told_to_the_sample_and_leaves_no_sound():
    random.seed(9)
    for detector in (None, Loudness()):
        for act, reason in (("pause", block.GAP_PAUSED), ("withhold", block.GAP_WITHHELD)):
            sink = Sink()
            recorder = make_recorder(sink, detector)
            changes = {100: getattr(recorder, act), 220: recorder.resume, 300: getattr(recorder, act)}
            talk(recorder, 400, lambda n: n in changes and changes[n]())
            recorder.finish(recorder.position)
            at = 0
            for position, samples, _ in spans(sink):
                assert position == at
                at += samples
            assert at == recorder.position == recorder.written_position
            gaps = [(p, block.read_gap(payload)) for p, payload in sink.of(block.GAP)]
            skipped = [(p, gap) for p, gap in gaps if gap.reason == reason]
            early = 10 if act == "withhold" else 0  # frames that stood in the ring
            assert sum(gap.samples for _, gap in skipped) == (120 + 99 + 2 * early) * FRAME_SAMPLES
            assert all(gap.mean == gap.peak == 0 and gap.samples <= 31 * FRAME_SAMPLES for _, gap in skipped)
            silent = range((101 - early) * FRAME_SAMPLES, 221 * FRAME_SAMPLES)
            assert not any(p in silent for p, _ in sink.of(block.AUDIO))
            assert skipped[0][0] == silent[0]
            assert detector or len(sink.of(block.AUDIO)) == 400 - 120 - 99 - 2 * early


def test_every_speech_frame_is_kept_with_what_surrounds_it():
    random.seed(6)
    sink = Sink()
    recorder = make_recorder(sink, Loudness())
    speech = []
    talk(recorder, 600, lambda n: speech.append(recorder.hears_speech))
    recorder.finish(recorder.position)
    kept = {position // FRAME_SAMPLES for position, _ in sink.of(block.AUDIO)}
    near = {n + d for n in range(600) if speech[n] for d in range(-10, 27)}
    assert kept == near & set(range(600)) and 0 < len(kept) < 600


def test_a_cut_in_a_long_silence_loses_less_than_a_second_of_the_time_line():
    for pre_roll_ms in (0, 300, 600):
        sink = Sink()
        recorder = Recorder(sink, {"pre_roll_ms": pre_roll_ms, "hang_over_ms": 800}, make_gain(0), Loudness())
        for _ in range(1000):
            recorder.frame(array("i", QUIET))
            assert recorder.position - recorder.written_position < 16000
        gaps = [block.read_gap(payload) for _, payload in sink.of(block.GAP)]
        assert sum(g.samples for g in gaps) == recorder.written_position
        assert all(g.mean > 5 and g.peak >= g.mean for g in gaps)


def test_lost_samples_are_an_event_and_move_what_follows():
    random.seed(7)
    for detector in (None, Loudness()):
        sink = Sink()
        recorder = make_recorder(sink, detector)
        lost = {50: (256, 3), 51: (512, 0), 200: (768, 40), 399: (256, 1)}
        talk(recorder, 400, lambda n: n in lost and recorder.lose(*lost[n]))
        recorder.finish(recorder.position)
        assert recorder.position == 400 * FRAME_SAMPLES + 1792 and recorder.lost_samples == 1792
        at = 0
        for position, samples, _ in spans(sink):
            assert position == at, "the losses fill exactly the holes in the time line"
            at += samples
        assert at == recorder.position


def test_a_frame_from_microphone_word_to_flash_allocates_nothing():
    make_image("heap.img", 64)
    log, _ = power_on("heap.img")
    writer = log.begin()
    writer.append(block.pack_block(block.HEAD, 0, bytes(60)))
    recorder = Recorder(writer, SETTINGS, make_gain(AUTO), Detector(0, FRAME_SAMPLES))
    frames = [words_of([random.getrandbits(15) - 16384 for _ in range(480)]), QUIET]
    words = array("i", LOUD)
    random.seed(8)
    locked = 0
    for n in range(400):
        words[:] = frames[n // 60 % 2]
        writer.prepare()
        if n < 130:  # until a frame of each kind and a gap have been through
            recorder.frame(words)
            continue
        micropython.heap_lock()
        try:
            recorder.frame(words)
            locked += 1
        finally:
            micropython.heap_unlock()
    assert locked == 270 and recorder.kept_samples < recorder.written_position
