"""The card's encoder held against libsndfile and against itself in plain Python: its codes are standard IMA, its noise is no more,
and it lies where it should."""

from __future__ import annotations

import builtins
import inspect
import io
from array import array
from collections.abc import Callable
from itertools import pairwise
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import pytest
import soundfile

import checked_viper
from adpcm_encoder import FRAME_SAMPLES, PAYLOAD_BYTES, RATE, decode, encode, noise_of, reference, snr_db
from interpreters import BITS64, INTERPRETERS, ROOT, Interpreter
from voicecard.library import adpcm

MODES = [pytest.param(True, id="shaped"), pytest.param(False, id="white")]


@pytest.fixture(scope="module")
def conversation() -> np.ndarray:
    samples, _ = soundfile.read(ROOT / "tests" / "demo" / "conversation.flac", dtype="int16")
    return samples[: len(samples) // FRAME_SAMPLES * FRAME_SAMPLES]


def extremes() -> np.ndarray:
    random = np.random.default_rng(8)
    n = np.arange(20 * FRAME_SAMPLES)
    loud_odd = np.where(n % 2, 32767, 0)
    square = np.where(n // 8 % 2, 32767, -32768)
    alternating = np.where(n % 2, 32767, -32768)
    clicks = np.where(random.random(len(n)) < 0.01, random.integers(-32768, 32768, len(n)), 0)
    hiss = random.integers(-32768, 32768, len(n))
    swelling = 32767 * np.sin(n**2 / 30000) * n / len(n)
    parts = (loud_odd, 0 * n, square, alternating, clicks, hiss, 0 * n - 32768, swelling)
    return np.concatenate(parts).astype(np.int16)


@pytest.mark.parametrize("shaped", MODES)
@pytest.mark.parametrize("interpreter", INTERPRETERS, ids=lambda interpreter: interpreter.name)
def test_another_decoder_hears_what_ours_hears(
    interpreter: Interpreter, shaped: bool, conversation: np.ndarray
) -> None:
    interpreter.require()
    payloads = encode(interpreter, np.concatenate((extremes(), conversation)), shaped).payloads
    predictors = np.ascontiguousarray(payloads[:, :2]).view("<i2").ravel()
    ours = adpcm.decode(predictors, payloads[:, 2], payloads[:, 4:])
    assert np.array_equal(decode(payloads), ours.ravel())
    assert np.array_equal(predictors[1:], ours[:-1, -1]), "a block begins where the one before it ended"


@pytest.mark.parametrize("shaped", MODES)
def test_both_interpreters_write_the_same_bytes(shaped: bool, conversation: np.ndarray) -> None:
    samples = np.concatenate((extremes(), conversation))
    for interpreter in INTERPRETERS:
        interpreter.require()
    first, second = (encode(interpreter, samples, shaped).payloads for interpreter in INTERPRETERS)
    assert np.array_equal(first, second)


@pytest.mark.parametrize("shaped", MODES)
def test_it_writes_what_the_encoder_in_plain_python_writes(shaped: bool, conversation: np.ndarray) -> None:
    spoken = conversation[2 * RATE :][: 40 * FRAME_SAMPLES]
    samples = np.concatenate((extremes().reshape(-1, FRAME_SAMPLES)[::4].ravel(), spoken))
    assert np.array_equal(encode(BITS64, samples, shaped).payloads, reference(samples, shaped))


def test_white_noise_is_no_more_than_that_of_another_encoder(conversation: np.ndarray) -> None:
    file = io.BytesIO()
    soundfile.write(file, conversation, RATE, format="WAV", subtype="IMA_ADPCM")
    file.seek(0)
    theirs, _ = soundfile.read(file, dtype="int16")
    ours = decode(encode(BITS64, conversation, False).payloads)
    assert snr_db(conversation, ours) > snr_db(conversation, theirs[: len(conversation)]) - 0.1


def test_shaped_noise_is_weaker_in_the_bands_that_are_heard(conversation: np.ndarray) -> None:
    sound = bands(conversation)
    spoken = sound.sum(axis=1) > sound.sum(axis=1).max() / 1000
    assert spoken.sum() > 300
    shaped, white = (
        (bands(noise_of(conversation, decode(encode(BITS64, conversation, shaped).payloads))) / sound)[spoken]
        for shaped in (True, False)
    )
    assert 10 * np.log10(white.mean() / shaped.mean()) > 6
    assert 10 * np.log10(white.mean(axis=0).max() / shaped.mean(axis=0).max()) > 6


def bands(samples: np.ndarray) -> np.ndarray:
    """Power of each 32 ms frame in bands that widen with frequency, from 130 Hz to 6.8 kHz."""
    edges = (130, 300, 510, 770, 1080, 1480, 2000, 2700, 3700, 5300, 6800)
    frames = samples[: len(samples) // 512 * 512].reshape(-1, 512) * np.hanning(512)
    power = np.square(np.abs(np.fft.rfft(frames)))
    bins = [round(hertz * 512 / RATE) for hertz in edges]
    return np.stack([power[:, low:high].sum(axis=1) + 1 for low, high in pairwise(bins)], axis=1)


class Addressed(checked_viper.Pointer):
    """A pointer that has an address, as `int(pointer)`, and is made from one again."""

    _arrays: ClassVar[list[Any]] = []

    def __init__(self, target: Any, bits: int) -> None:
        self._bytes, self._first = bits // 8, 0
        if isinstance(target, int):
            target, self._first = self._arrays[target >> 16], (target & 0xFFFF) // self._bytes
        elif not any(target is known for known in self._arrays):
            self._arrays.append(target)
        super().__init__(target, bits)

    def __int__(self) -> int:
        number = next(n for n, known in enumerate(self._arrays) if known is self._array)
        return int((number << 16) + self._first * self._bytes)

    def __getitem__(self, index: int) -> checked_viper.Int32:
        return super().__getitem__(self._first + index)

    def __setitem__(self, index: int, value: int) -> None:
        super().__setitem__(self._first + index, value)


def with_arguments_made_pointers(function: Callable[..., Any]) -> Callable[..., Any]:
    kinds = [parameter.annotation for parameter in inspect.signature(function).parameters.values()]
    make = [(lambda value: value) if kind is inspect.Parameter.empty else kind for kind in kinds]
    return lambda *values: function(*(kind(value) for kind, value in zip(make, values, strict=True)))


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr(checked_viper, "Pointer", Addressed)
    monkeypatch.setattr(Addressed, "_arrays", [])
    encoder = checked_viper.import_checked(monkeypatch, "card.capture.adpcm")
    monkeypatch.setattr(builtins, "ptr8", lambda buffer: buffer)  # a bytearray checks its own range, 0 to 255
    for name in ("_correlate", "_search"):
        monkeypatch.setattr(encoder, name, with_arguments_made_pointers(getattr(encoder, name)))
    return encoder


@pytest.mark.parametrize("shaped", MODES)
def test_its_arithmetic_stays_within_the_boards_integers(checked: ModuleType, shaped: bool) -> None:
    state = checked.new_state(shaped)
    payload = bytearray(PAYLOAD_BYTES)
    payloads = bytearray()
    samples = extremes().reshape(-1, FRAME_SAMPLES)[::2]
    for frame in samples:
        checked.put_state(state, payload, 0)
        checked.encode(array("h", frame.tobytes()), FRAME_SAMPLES, state, payload, 4)
        payloads += payload
    assert payloads == encode(BITS64, samples.ravel(), shaped).payloads.tobytes()
