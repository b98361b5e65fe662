"""The WebRTC voice activity detector, bit for bit.

A port of common_audio/vad of the WebRTC project, Copyright (c) 2011-2012 The WebRTC project authors; see LICENSE beside this
file. Each stage is a module: `filter_bank` and `energy` (joined in `features`), `model`, `decision`, `minimum` and
`adaptation`. Qn beside a number: a fixed-point value with n fractional bits.

Viper integers have 32 bits on a board and 64 on a computer: where the original wraps, the code says so ("wraps") and is
right on both. All memory is made once: a frame allocates nothing.
"""

from .adaptation import adapt
from .decision import HangOver, LikelihoodTest
from .energy import MIN_ENERGY
from .features import FeatureExtractor
from .minimum import MinimumTracker
from .model import noise_mixture, speech_mixture

MODES = (0, 1, 2, 3)
FRAMES_SAMPLES = (160, 320, 480)


class Detector:
    """Tells speech frames in one stream of sound at 16 kHz; frames must follow one another without a gap.

    `mode`: 0 (keeps most) to 3 (the most selective); `frame_samples`: 160, 320 or 480 (10, 20 or 30 ms). Raises ValueError."""

    def __init__(self, mode=0, frame_samples=480):
        if mode not in MODES:
            raise ValueError("the mode of the voice detector is 0 to 3")
        if frame_samples not in FRAMES_SAMPLES:
            raise ValueError("a frame of the voice detector is 160, 320 or 480 samples")
        length = FRAMES_SAMPLES.index(frame_samples)
        self._frame_samples = frame_samples
        self._extractor = FeatureExtractor(frame_samples)
        self._noise = noise_mixture()
        self._speech = speech_mixture()
        self._minimum = MinimumTracker()
        self._test = LikelihoodTest(mode, length)
        self._hang_over = HangOver(mode, length)

    def reset(self):
        """Forget all that was heard."""
        for part in (self._extractor, self._noise, self._speech, self._minimum, self._hang_over):
            part.reset()

    def is_speech(self, samples):
        """Decide on the next frame, array('h') of `frame_samples`; raises ValueError on any other length."""
        if len(samples) != self._frame_samples:
            raise ValueError("the voice detector takes frames of one length")
        speech = False
        if self._extractor.extract(samples) > MIN_ENERGY:
            features = self._extractor.features
            self._noise.evaluate(features)
            self._speech.evaluate(features)
            speech = self._test.is_speech(self._noise, self._speech)
            self._minimum.track(features)
            adapt(speech, features, self._minimum.minima, self._noise, self._speech)
        return self._hang_over.step(speech)
