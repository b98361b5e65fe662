"""The recorder: microphone words in, blocks of the recording out, frame by frame in memory made once."""

from array import array

from micropython import const

from wire import block
from wire.crc32 import seal_block

from . import adpcm, level
from .gate import Gate

FRAME_SAMPLES = block.FRAME_SAMPLES
FRAME_MS = const(30)
FRAME_WORDS_BYTES = FRAME_SAMPLES * 4
_PAGE_BYTES = block.BLOCK_HEADER_BYTES + block.AUDIO_PAYLOAD_BYTES
_CODES_AT = block.BLOCK_HEADER_BYTES + block.CODEC_STATE_BYTES
_DEAD_FRAMES = const(30)  # 0.9 s of what no microphone sends
_UNWRITTEN_FRAMES = const(31)  # what pre-roll and an unwritten gap may hold: a cut loses less than a second


samples_scratch = array(
    "h", bytes(2 * FRAME_SAMPLES)
)  # scratch, made once: later the heap may have no room in one piece


class Recorder:
    """Encodes every frame into a ring of pages that delays sound by the pre-roll; what leaves the ring is kept or measured.

    `sink.audio(page)` takes a finished audio block of 256 bytes, `sink.append(data)` any other block. `detector` says of 480
    samples whether they are speech; without one everything is kept. Once a frame and a gap have been through, `frame`
    allocates nothing."""

    def __init__(self, sink, settings, gain, detector):
        self._sink = sink
        self._gain = gain
        self._detector = detector
        pre_roll = settings["pre_roll_ms"] // FRAME_MS
        self._gate = Gate(pre_roll, settings["hang_over_ms"] // FRAME_MS) if detector else None
        self._dc = level.new_dc()
        self._codec = adpcm.new_state()
        self._level = array("i", (0, 0))
        self._slots = pre_roll + 1
        self._pages = [bytearray(_PAGE_BYTES) for _ in range(self._slots)]
        self._positions = array("I", bytes(4 * self._slots))
        self._speech = bytearray(self._slots)
        self._means = array("H", bytes(2 * self._slots))
        self._peaks = array("H", bytes(2 * self._slots))
        self._dead_frames = 0  # in a row
        self._entered = 0  # frames into the ring, and out of it
        self._left = 0
        self._gap_block = bytearray(block.BLOCK_HEADER_BYTES + block.GAP_BYTES)
        self._gap_start = self._gap_end = 0
        self._gap_frames = 0
        self._gap_limit = _UNWRITTEN_FRAMES - pre_roll
        self._gap_sum = 0
        self._gap_peak = 0
        self._gap_reason = block.GAP_SILENCE
        self.skips = None  # why nothing is kept now: GAP_PAUSED, GAP_WITHHELD, or None
        self.position = 0  # samples since the start: where the next frame will stand on the time line
        self.written_position = 0  # up to where the sink has been told everything
        self.kept_samples = 0  # in whole frames
        self.lost_samples = 0
        self.marks = 0

    @property
    def mean(self):
        """Mean absolute level of the last frame."""
        return self._level[level.MEAN]

    @property
    def hears_speech(self):
        return bool(self._entered and self._speech[(self._entered - 1) % self._slots])

    @property
    def hears_nothing(self):
        """Whether the microphone, or its wiring, must be broken."""
        return self._dead_frames >= _DEAD_FRAMES

    def frame(self, words):
        """Take one frame of 480 microphone words (1920 bytes), which are used up."""
        self._dead_frames = self._dead_frames + 1 if level.is_dead(words, FRAME_SAMPLES) else 0
        speech = self._enter(words)
        keep = self._gate.step(speech) if self._gate else True
        if self.skips is not None:
            self._pass_over()
        elif self._entered - self._left == self._slots:
            self._leave(keep, FRAME_SAMPLES)

    def pause(self):
        """Keep what has come so far, and nothing more until `resume`."""
        self._drain(self.position)
        self._skip(block.GAP_PAUSED)

    def withhold(self):
        """Keep nothing until `resume`, nor what has not been written yet. The detector goes on listening; no sound reaches the sink."""
        self._skip(block.GAP_WITHHELD)
        self._pass_over()

    def resume(self):
        """Go on keeping, with the next frame: nothing of what was skipped comes back."""
        self._close_gap()
        self._gap_reason = block.GAP_SILENCE
        self.skips = None

    def mark(self, position):
        """The owner says that this moment matters."""
        self.marks += 1
        self._sink.append(block.pack_block(block.MARK, position))

    def note(self, event):
        """Something happened now, in this block.Event."""
        self._sink.append(block.pack_block(block.EVENT, self.position, block.pack_event(event)))

    def lose(self, samples, frames_since):
        """The driver lost `samples` so many frames ago: what came after stands later on the time line."""
        for n in range(max(self._left, self._entered - frames_since), self._entered):
            self._positions[n % self._slots] += samples
        start = self.position - min(frames_since, self._entered - self._left) * FRAME_SAMPLES
        self.position += samples
        self.lost_samples += samples
        event = block.pack_event(block.Event(block.EVENT_SAMPLES_LOST, samples, 0))
        self._sink.append(block.pack_block(block.EVENT, start, event))

    def finish(self, end_position):
        """Empty the ring up to `end_position` (samples); later sound is left out."""
        self._drain(end_position)
        self._close_gap()
        self.written_position = min(end_position, self.position)

    def _drain(self, end_position):
        while self._left < self._entered:
            room = end_position - self._positions[self._left % self._slots]
            if room <= 0:
                break
            keep = self._gate.step(False) if self._gate else True
            self._leave(keep, min(FRAME_SAMPLES, room))

    def _skip(self, reason):
        self._close_gap()
        self._gap_reason = reason
        self.skips = reason

    def _pass_over(self):
        """Let go of what is in the ring. How loud it was is nobody's business either."""
        while self._left < self._entered:
            self._widen_gap(self._positions[self._left % self._slots], FRAME_SAMPLES, 0, 0)
            self._left += 1

    def _enter(self, words):
        slot = self._entered % self._slots
        samples, page = samples_scratch, self._pages[slot]
        peak = level.remove_dc(words, FRAME_SAMPLES, self._dc)
        level.apply_gain(words, samples, FRAME_SAMPLES, self._gain.for_frame(peak))
        level.measure(samples, FRAME_SAMPLES, self._level)
        speech = self._detector.is_speech(samples) if self._detector else True
        self._gain.learn(speech)
        adpcm.put_state(self._codec, page, block.BLOCK_HEADER_BYTES)
        adpcm.encode(samples, FRAME_SAMPLES, self._codec, page, _CODES_AT)
        self._positions[slot] = self.position
        self._speech[slot] = speech
        self._means[slot] = self._level[level.MEAN]
        self._peaks[slot] = self._level[level.PEAK]
        self._entered += 1
        self.position += FRAME_SAMPLES
        return speech

    def _leave(self, keep, samples):
        slot = self._left % self._slots
        position = self._positions[slot]
        if keep:
            self._close_gap()
            self._keep(self._pages[slot], position, self._speech[slot])
            self.written_position = position + samples
        else:
            self._widen_gap(position, samples, self._means[slot], self._peaks[slot])
        self._left += 1

    def _keep(self, page, position, speech):
        flags = block.FLAG_SPEECH if speech else 0
        block.pack_block_header(page, 0, block.AUDIO, flags, block.AUDIO_PAYLOAD_BYTES, position)
        seal_block(page, 0, block.AUDIO_PAYLOAD_BYTES)
        self._sink.audio(page)
        self.kept_samples += FRAME_SAMPLES

    def _widen_gap(self, position, samples, mean, peak):
        if self._gap_frames and position != self._gap_end:
            self._close_gap()  # lost samples lie between
        if not self._gap_frames:
            self._gap_start = position
        self._gap_end = position + samples
        self._gap_frames += 1
        self._gap_sum += mean
        self._gap_peak = max(self._gap_peak, peak)
        if self._gap_frames == self._gap_limit:
            self._close_gap()

    def _close_gap(self):
        if not self._gap_frames:
            return
        data = self._gap_block
        mean = self._gap_sum // self._gap_frames
        block.pack_block_header(data, 0, block.GAP, 0, block.GAP_BYTES, self._gap_start)
        samples = self._gap_end - self._gap_start
        block.pack_gap_into(data, block.BLOCK_HEADER_BYTES, samples, mean, self._gap_peak, self._gap_reason)
        seal_block(data, 0, block.GAP_BYTES)
        self._sink.append(data)
        self.written_position = self._gap_end
        self._gap_frames = self._gap_sum = self._gap_peak = 0
