"""The embedded backend: PocketSphinx with the US-English model from its own wheel. Offline, no account, one core."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from voicecard.config import Config
from voicecard.transcribe.audio import at_rate
from voicecard.transcribe.backend import Backend, Heard, Limits
from voicecard.transcribe.model import Segment, Word

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MODEL_SAMPLE_RATE = 16_000
FRAMES_PER_S = 100
PAUSE_S = 0.7
# A segment that has become long ends at the next breath.
LONG_S = 10.0
BREATH_S = 0.15

_FILLER = re.compile(r"<.*>|\[.*\]|\+\+.*\+\+")
_VARIANT = re.compile(r"\(\d+\)$")


class PocketSphinx(Backend):
    name = "pocketsphinx"
    description = "PocketSphinx, US English: small, offline, on any laptop"
    sends_audio = False
    rank = 10
    limits = Limits(piece_s=15.0)  # the decoder keeps Python's lock, and so all else waiting, until a piece is done
    languages = ("en",)
    model = "en-us"
    language = "en"

    def __init__(self, config: Config) -> None:
        self._decoder: Any = None

    def missing(self) -> str | None:
        if find_spec("pocketsphinx") is None:
            return (
                "the package pocketsphinx is not installed (it has wheels for x86-64 Linux and Apple silicon): "
                "install it with `pip install pocketsphinx`, or choose another backend"
            )
        return None

    def transcribe(self, samples: NDArray[np.int16], sample_rate: int, language: str = "") -> Heard:
        samples = at_rate(samples, sample_rate, MODEL_SAMPLE_RATE)
        return Heard(tuple(segments(self._words(samples))) if len(samples) else (), "en")

    def _words(self, samples: NDArray[np.int16]) -> Iterator[Word]:
        if self._decoder is None:
            from pocketsphinx import Decoder

            self._decoder = Decoder(samprate=MODEL_SAMPLE_RATE, loglevel="FATAL")
        self._decoder.start_utt()
        self._decoder.process_raw(samples.tobytes(), full_utt=True)
        self._decoder.end_utt()
        for part in self._decoder.seg() or ():
            if not _FILLER.fullmatch(part.word):
                # The end frame belongs to the word.
                yield Word(
                    part.start_frame / FRAMES_PER_S,
                    (part.end_frame + 1) / FRAMES_PER_S,
                    _VARIANT.sub("", part.word),
                )


def segments(words: Iterable[Word]) -> Iterator[Segment]:
    """Group words into segments, which end at pauses."""
    group: list[Word] = []
    for word in words:
        if group:
            pause_s = word.start_s - group[-1].end_s
            is_long = group[-1].end_s - group[0].start_s > LONG_S
            if pause_s > (BREATH_S if is_long else PAUSE_S):
                yield _segment(group)
                group = []
        group.append(word)
    if group:
        yield _segment(group)


def _segment(words: list[Word]) -> Segment:
    return Segment(words[0].start_s, words[-1].end_s, " ".join(word.text for word in words), words=tuple(words))
