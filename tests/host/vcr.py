"""Make recordings' files (.vcr) for tests: the bytes that a card would write, by firmware/wire's own packers."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from voicecard.firmware.wire import block, sector

Samples = npt.NDArray[np.int16]

# The published IMA algorithm, sample by sample: deliberately nothing of the library's own decoder.
_INDEX_CHANGES = (-1, -1, -1, -1, 2, 4, 6, 8)
# fmt: off
_STEPS = (
    7, 8, 9, 10, 11, 12, 13, 14, 16, 17, 19, 21, 23, 25, 28, 31, 34, 37, 41, 45, 50, 55, 60, 66, 73, 80, 88,
    97, 107, 118, 130, 143, 157, 173, 190, 209, 230, 253, 279, 307, 337, 371, 408, 449, 494, 544, 598, 658,
    724, 796, 876, 963, 1060, 1166, 1282, 1411, 1552, 1707, 1878, 2066, 2272, 2499, 2749, 3024, 3327, 3660,
    4026, 4428, 4871, 5358, 5894, 6484, 7132, 7845, 8630, 9493, 10442, 11487, 12635, 13899, 15289, 16818,
    18500, 20350, 22385, 24623, 27086, 29794, 32767,
)
# fmt: on


@dataclass
class Encoder:
    """IMA ADPCM; `value` and `index` are the state that a decoder has, too."""

    value: int = 0
    index: int = 0

    def encode(self, samples: Samples) -> tuple[bytes, list[int]]:
        """Codes of an even number of samples, low half first, and the samples that a decoder makes of them."""
        codes, heard = [], []
        for sample in samples.tolist():
            step = _STEPS[self.index]
            difference = sample - self.value
            code = 8 if difference < 0 else 0
            difference, change = abs(difference), step >> 3
            for bit in (4, 2, 1):
                if difference >= step:
                    code |= bit
                    difference -= step
                    change += step
                step >>= 1
            self.value = max(-32768, min(32767, self.value - change if code & 8 else self.value + change))
            self.index = max(0, min(88, self.index + _INDEX_CHANGES[code & 7]))
            codes.append(code)
            heard.append(self.value)
        return bytes(low | high << 4 for low, high in zip(codes[::2], codes[1::2], strict=True)), heard


@dataclass
class CardFile:
    """Writes blocks where a card would; `heard` is what a listener must get, zeros for what was not kept."""

    card: str = "k3f92b"
    number: int = 12
    nonce: bytes = bytes.fromhex("ab12cd34ef560789")
    boot: int = 3
    ticks_us: int = 5_000_000
    wall_ms: int = 1_795_324_140_000
    settings: dict[str, object] = field(default_factory=lambda: {"gate": "level", "gain_db": 12})
    kind: int = block.KIND_RECORDING
    head: bool = True
    position: int = 0
    kept: list[int] = field(default_factory=list)
    heard: list[int] = field(default_factory=list)
    sectors: list[bytearray] = field(default_factory=list)
    _encoder: Encoder = field(default_factory=Encoder)
    _at: int = sector.SECTOR_BYTES

    def __post_init__(self) -> None:
        if self.head:
            begun = (self.boot, self.ticks_us, self.wall_ms, 250 if self.wall_ms else 0)
            sound = (block.SAMPLE_RATE, block.FRAME_SAMPLES, block.CODEC_IMA_ADPCM, self.kind)
            head = block.Head(self.card, "0.1.0", self.number, *begun, *sound, json.dumps(self.settings))
            self.put(block.HEAD, block.pack_head(head))

    def put(self, kind: int, payload: bytes = b"", flags: int = 0, position: int | None = None) -> CardFile:
        """Any block, at the next place that FORMAT.md allows."""
        packed = block.pack_block(kind, self.position if position is None else position, payload, flags)
        room = sector.PAGE_BYTES - self._at % sector.PAGE_BYTES
        if len(packed) > room:
            self._at += room
        if self._at >= sector.SECTOR_BYTES:
            self.new_sector()
        self.sectors[-1][self._at : self._at + len(packed)] = packed
        self._at += len(packed)
        return self

    def new_sector(self) -> CardFile:
        raw = bytearray(b"\xff" * sector.SECTOR_BYTES)
        sector.pack_marker(raw, 1, self.number, self.boot, self.card)
        sector.pack_header(raw, self.number, len(self.sectors), self.boot, self.nonce, self.ticks_us)
        self.sectors.append(raw)
        self._at = sector.BLOCKS_AT
        return self

    def audio(self, samples: Samples, speech: bool = True) -> CardFile:
        for first in range(0, len(samples), block.FRAME_SAMPLES):
            state = self._encoder.value.to_bytes(2, "little", signed=True) + bytes((self._encoder.index, 0))
            codes, heard = self._encoder.encode(samples[first : first + block.FRAME_SAMPLES])
            self.put(block.AUDIO, state + codes, block.FLAG_SPEECH if speech else 0)
            self.kept += heard
            self._pass(heard)
        return self

    def gap(self, samples: int, mean: int = 20, peak: int = 90, reason: int = block.GAP_SILENCE) -> CardFile:
        self.put(block.GAP, block.pack_gap(block.Gap(samples, mean, peak, reason)))
        return self.skip(samples)

    def lost(self, samples: int) -> CardFile:
        return self.event(block.EVENT_SAMPLES_LOST, samples).skip(samples)

    def event(self, event: int, value: int = 0, wide: int = 0) -> CardFile:
        return self.put(block.EVENT, block.pack_event(block.Event(event, value, wide)))

    def mark(self) -> CardFile:
        return self.put(block.MARK)

    def skip(self, samples: int) -> CardFile:
        """Time passes and no block says why."""
        self._pass([0] * samples)
        return self

    def end(self, reason: int = block.END_KEY, position: int | None = None) -> CardFile:
        return self.put(block.END, block.pack_end(block.End(reason, len(self.kept), 0, 0)), position=position)

    def data(self) -> bytes:
        return b"".join(self.sectors)

    def _pass(self, heard: list[int]) -> None:
        self.heard += heard
        self.position += len(heard)


def tone(seconds: float, hertz: float = 440, level: int = 9000) -> Samples:
    """A tone whose length is rounded to whole frames."""
    frames = round(seconds * block.SAMPLE_RATE / block.FRAME_SAMPLES)
    time_s = np.arange(frames * block.FRAME_SAMPLES) / block.SAMPLE_RATE
    return (level * np.sin(2 * np.pi * hertz * time_s)).astype(np.int16)


def conversation(**fields: object) -> CardFile:
    """Two stretches of speech with a silence between, a mark, and an end by key: 2.02 s in all."""
    made = CardFile(**fields)  # type: ignore[arg-type]
    made.audio(tone(0.6)).mark().gap(8000, 10, 40).gap(4160, 30, 90).audio(tone(0.65, 700))
    return made.end()
