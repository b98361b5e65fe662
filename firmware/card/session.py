"""One recording from press to press: joins microphone, recorder and writer."""

import json

from micropython import const

from card.capture.loss import LossMeter
from card.capture.recorder import FRAME_SAMPLES, Recorder
from card.errors import CardError, StorageFull
from card.settings import OF_SOUND
from wire import block

_RATE_PRIOR_SAMPLES = const(60 * 16000)  # a minute of unbroken speech, until more is known
_FINEST_RATE = const(256)


class Session:
    """`run` lasts until `finish`; `reason` tells why it ended. It ends by itself when storage is full or broken, or after 12 h.

    The card's watchdog is fed with each frame of sound and by nothing else. `kind`: what is recorded, a block.KIND_*."""

    def __init__(self, card, microphone, kind=block.KIND_RECORDING):
        self._card = card
        self.kind = kind
        self._writer = card.store.begin()
        self._recorder = Recorder(self._writer, card.settings, card.gain, card.detector())
        self._microphone = microphone
        self._losses = LossMeter()
        self._room = True
        self._told_no_sound = False
        self._end_position = None
        self._asked = block.END_KEY
        self.reason = block.END_NONE

    @property
    def position(self):
        return self._recorder.position

    @property
    def elapsed_s(self):
        return self.position // block.SAMPLE_RATE

    @property
    def mean(self):
        return self._recorder.mean

    @property
    def speech(self):
        return self._recorder.hears_speech

    @property
    def hears_nothing(self):
        """Whether nothing comes that a microphone could send."""
        return self._recorder.hears_nothing

    @property
    def marks(self):
        return self._recorder.marks

    @property
    def seconds_left(self):
        """Seconds until storage is full if speech goes on as in this recording so far."""
        kept = self._recorder.kept_samples + _RATE_PRIOR_SAMPLES
        heard = self.position + _RATE_PRIOR_SAMPLES
        rate = max(1, kept * _FINEST_RATE // heard)
        return self._card.store.seconds_left * _FINEST_RATE // rate

    @property
    def skips(self):
        """Why nothing is kept now: block.GAP_PAUSED or GAP_WITHHELD; None while it records."""
        return self._recorder.skips

    def pause(self):
        self._note(self._recorder.pause)

    def withhold(self):
        """Off the record from now on; what is not written yet is left out, too."""
        self._note(self._recorder.withhold)

    def resume(self):
        self._note(self._recorder.resume)

    def mark(self, position):
        """The owner marked this moment."""
        self._note(self._recorder.mark, position)

    def clock_set(self, wall_ms, uncertainty_ms):
        """A host has told the time."""
        self._note(self._recorder.note, block.Event(block.EVENT_CLOCK_SET, uncertainty_ms, wall_ms))

    def battery(self, mv):
        """The battery was measured at so much."""
        self._note(self._recorder.note, block.Event(block.EVENT_BATTERY, mv, 0))

    def _note(self, write, *what):
        """Change something beside the sound; a recording that has ended takes nothing. Storage trouble is told by the next frame."""
        if self.reason != block.END_NONE:
            return
        try:
            write(*what)
        except (CardError, OSError) as error:
            self._card.log.note("not noted: %r" % error)

    def finish(self, position, reason):
        """Ask the recording to end at `position`, in samples."""
        self._end_position = position
        self._asked = reason

    async def run(self):
        try:
            self._writer.append(block.pack_block(block.HEAD, 0, self._head()))
            await self._record()
            self.reason = self._asked
        except StorageFull:
            self.reason = block.END_STORAGE_FULL
        except (CardError, OSError) as error:
            self._card.log.note("recording failed: %r" % error)
            self.reason = block.END_FAULT
        self._close()

    async def _record(self):
        while self._end_position is None:
            words = await self._microphone.frame()
            if words:
                self._card.watchdog.feed()
                lost = self._losses.frame(self._microphone.ready_us, self._microphone.waited)
                self._recorder.frame(words)
                if lost:
                    self._recorder.lose(lost, self._losses.frames_since)
                if self.hears_nothing and not self._told_no_sound:
                    self._told_no_sound = True
                    self._note(self._recorder.note, block.Event(block.EVENT_NO_SOUND, 0, 0))
                if self._room:
                    self._prepare()
            if self.position + FRAME_SAMPLES > block.MAX_RECORDING_SAMPLES:
                self.finish(self.position, block.END_ROLLED_OVER)
        self._recorder.finish(self._end_position)

    def _prepare(self):
        """Find the next sector ahead; that there is none matters only when it is needed."""
        try:
            self._writer.prepare()
        except StorageFull:
            self._room = False

    def _close(self):
        """Write the end block and its cache. What fails here is closed at the next start."""
        recorder = self._recorder
        length = recorder.written_position
        try:
            self._writer.end(length, self.reason, recorder.kept_samples, recorder.lost_samples, recorder.marks)
            self._card.store.finished(self.reason, length)
            self._card.lost_samples += recorder.lost_samples
        except (CardError, OSError) as error:
            self._card.log.note("end not written: %r" % error)
            self.reason = block.END_FAULT

    def _head(self):
        card, clock = self._card, self._card.clock
        return block.pack_head(
            block.Head(
                card.name,
                card.version,
                self._writer.recording,
                card.boot,
                clock.us(),
                clock.wall_ms(),
                clock.uncertainty_ms,
                block.SAMPLE_RATE,
                FRAME_SAMPLES,
                block.CODEC_IMA_ADPCM,
                self.kind,
                json.dumps(self._circumstances()),
            )
        )

    def _circumstances(self):
        """The settings that shape the sound, and where the clock was set, if that was told."""
        told = {name: self._card.settings[name] for name in OF_SOUND}
        if self._card.clock.offset_min is not None:
            told["utc_offset_min"] = self._card.clock.offset_min
        return told
