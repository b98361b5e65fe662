"""One recording from press to press: joins microphone, recorder and writer."""

import asyncio
import json

from card.capture.loss import LossMeter
from card.capture.microphone import Microphone
from card.capture.recorder import FRAME_SAMPLES, FRAME_WORDS_BYTES, Recorder
from card.capture.vad import Detector
from card.errors import CardError, StorageFull
from card.settings import OFF
from wire import block


class Session:
    """Runs from `start` until `finish`; `reason` tells why it ended. It ends by itself when storage is full or broken."""

    def __init__(self, card, i2s):
        self._card = card
        self._writer = card.store.begin()
        mode = card.settings["vad_mode"]
        detector = None if mode == OFF else Detector(mode, FRAME_SAMPLES)
        self._recorder = Recorder(self._writer, card.settings, card.gain, detector)
        self._microphone = Microphone(i2s, FRAME_WORDS_BYTES)
        self._losses = LossMeter()
        self._room = True
        self._end_position = None
        self._asked = block.END_KEY
        self.reason = block.END_NONE
        self.task = None

    def start(self):
        self.task = asyncio.create_task(self._run())

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
    def marks(self):
        return self._recorder.marks

    def mark(self, position):
        """The owner marked this moment; a recording that has ended takes none. Storage trouble is told by the next frame."""
        if self.reason != block.END_NONE:
            return
        try:
            self._recorder.mark(position)
        except (CardError, OSError) as error:
            self._card.log.note("mark lost: %r" % error)

    def finish(self, position, reason):
        """Ask the recording to end at `position`, in samples."""
        self._end_position = position
        self._asked = reason

    async def _run(self):
        try:
            self._writer.append(block.pack_block(block.HEAD, 0, self._head()))
            await self._record()
            self.reason = self._asked
        except StorageFull:
            self.reason = block.END_STORAGE_FULL
        except (CardError, OSError) as error:
            self._card.log.note("recording failed: %r" % error)
            self.reason = block.END_FAULT
        finally:
            self._microphone.close()
        self._close()

    async def _record(self):
        while self._end_position is None:
            words = await self._microphone.frame()
            if words:
                lost = self._losses.frame(self._microphone.waited)
                self._recorder.frame(words)
                if lost:
                    self._recorder.lose(lost, self._losses.frames_since)
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
                block.KIND_RECORDING,
                json.dumps(card.settings),
            )
        )
