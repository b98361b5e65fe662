"""The recorder: microphone words in, blocks of the recording out, frame by frame in memory made once."""

from array import array

from wire import block

from . import adpcm, level
from .gate import Gate, LevelDetector

FRAME_SAMPLES = block.FRAME_SAMPLES
FRAME_MS = 30
FRAME_WORDS_BYTES = FRAME_SAMPLES * 4
_PAGE_BYTES = block.BLOCK_HEADER_BYTES + block.AUDIO_PAYLOAD_BYTES
_CODES_AT = block.BLOCK_HEADER_BYTES + block.CODEC_STATE_BYTES
_GAP_FRAMES = 32  # a gap is written at least every 0.96 s, so that a cut loses less than a second of the time line


def gain_q4(gain_db):
    """A gain in dB as the Q4 factor that `level.to_samples` takes."""
    return int(16 * 10 ** (gain_db / 20) + 0.5)


class Recorder:
    """Encodes every frame into a ring of pages that delays sound by the pre-roll; what leaves the ring is kept or measured.

    `sink.audio(page)` takes a finished audio block of 256 bytes, `sink.block(kind, position, payload)` any other one."""

    def __init__(self, sink, settings):
        self._sink = sink
        pre_roll = settings["pre_roll_ms"] // FRAME_MS
        self._gate = Gate(pre_roll, settings["hang_over_ms"] // FRAME_MS) if settings["gate"] else None
        self._gain_q4 = gain_q4(settings["gain_db"])
        self._detector = LevelDetector()
        self._dc = level.new_dc()
        self._codec = adpcm.new_state()
        self._samples = array("h", bytes(2 * FRAME_SAMPLES))
        slots = pre_roll + 1
        self._pages = [bytearray(_PAGE_BYTES) for _ in range(slots)]
        self._speech = bytearray(slots)
        self._means = array("H", bytes(2 * slots))
        self._peaks = array("H", bytes(2 * slots))
        self._delay = pre_roll
        self._entered = 0  # frames in, and frames out of the ring
        self._left = 0
        self._end = None
        self._level = array("i", (0, 0))
        self._gap_start = 0
        self._gap_frames = 0
        self._gap_sum = 0
        self._gap_peak = 0
        self.kept_samples = 0  # in whole frames
        self.marks = 0

    @property
    def position(self):
        """Samples since the start: where the next frame will stand on the time line."""
        return self._entered * FRAME_SAMPLES

    @property
    def written_position(self):
        """Samples up to which the time line has been handed to the sink."""
        if self._gap_frames:
            return self._gap_start
        written = self._left * FRAME_SAMPLES
        return written if self._end is None else min(written, self._end)

    @property
    def mean(self):
        """Mean absolute level of the last frame."""
        return self._level[level.MEAN]

    @property
    def hears_speech(self):
        return bool(self._entered and self._speech[(self._entered - 1) % len(self._pages)])

    def frame(self, words):
        """Take one frame of 480 microphone words (1920 bytes)."""
        speech = self._enter(words)
        keep = self._gate.step(speech) if self._gate else True
        if self._entered > self._delay:
            self._leave(keep, FRAME_SAMPLES)

    def mark(self, position):
        """The owner says that this moment matters."""
        self.marks += 1
        self._sink.block(block.MARK, position, b"")

    def finish(self, end_position):
        """Empty the ring up to `end_position` (samples); later sound is left out."""
        self._end = min(end_position, self.position)
        while self._left * FRAME_SAMPLES < self._end:
            keep = self._gate.step(False) if self._gate else True
            self._leave(keep, min(FRAME_SAMPLES, self._end - self._left * FRAME_SAMPLES))
        self._close_gap(self._end)

    def _enter(self, words):
        slot = self._entered % len(self._pages)
        samples, page = self._samples, self._pages[slot]
        level.to_samples(words, samples, FRAME_SAMPLES, self._gain_q4, self._dc)
        level.measure(samples, FRAME_SAMPLES, self._level)
        mean = self._level[level.MEAN]
        speech = self._detector.is_speech(mean)
        adpcm.put_state(self._codec, page, block.BLOCK_HEADER_BYTES)
        adpcm.encode(samples, FRAME_SAMPLES, self._codec, page, _CODES_AT)
        self._speech[slot] = speech
        self._means[slot] = mean
        self._peaks[slot] = self._level[level.PEAK]
        self._entered += 1
        return speech

    def _leave(self, keep, samples):
        slot = self._left % len(self._pages)
        position = self._left * FRAME_SAMPLES
        if keep:
            self._close_gap(position)
            self._keep(self._pages[slot], position, self._speech[slot])
            self.kept_samples += FRAME_SAMPLES
        else:
            self._widen_gap(position, slot)
        self._left += 1
        if self._gap_frames == _GAP_FRAMES:
            self._close_gap(position + samples)

    def _widen_gap(self, position, slot):
        if not self._gap_frames:
            self._gap_start = position
        self._gap_frames += 1
        self._gap_sum += self._means[slot]
        self._gap_peak = max(self._gap_peak, self._peaks[slot])

    def _keep(self, page, position, speech):
        flags = block.FLAG_SPEECH if speech else 0
        block.pack_block_header(page, 0, block.AUDIO, flags, block.AUDIO_PAYLOAD_BYTES, position)
        block.seal_block(page, 0, block.AUDIO_PAYLOAD_BYTES)
        self._sink.audio(page)

    def _close_gap(self, end):
        if not self._gap_frames:
            return
        mean = self._gap_sum // self._gap_frames
        gap = block.Gap(end - self._gap_start, mean, self._gap_peak, block.GAP_SILENCE)
        self._sink.block(block.GAP, self._gap_start, block.pack_gap(gap))
        self._gap_frames = self._gap_sum = self._gap_peak = 0
