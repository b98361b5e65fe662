"""The card's encoder held against libsndfile: its codes are standard IMA, its noise is no more, and it lies where it should."""

from __future__ import annotations

import builtins
import io
from array import array

import numpy as np
import pytest
import soundfile

from adpcm_encoder import FRAME_SAMPLES, PAYLOAD_BYTES, RATE, SHAPED, WHITE, Mode, decode, encode, noise_of, snr_db
from checked_viper import import_checked
from interpreters import BITS64, INTERPRETERS, ROOT, Interpreter
from voicecard.library import adpcm

MODES = [pytest.param(SHAPED, id="shaped"), pytest.param(WHITE, id="white")]


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


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("interpreter", INTERPRETERS, ids=lambda interpreter: interpreter.name)
def test_another_decoder_hears_what_ours_hears(interpreter: Interpreter, mode: Mode, conversation: np.ndarray) -> None:
    interpreter.require()
    payloads = encode(interpreter, np.concatenate((extremes(), conversation)), mode).payloads
    predictors = np.ascontiguousarray(payloads[:, :2]).view("<i2").ravel()
    ours = adpcm.decode(predictors, payloads[:, 2], payloads[:, 4:])
    assert np.array_equal(decode(payloads), ours.ravel())
    assert np.array_equal(predictors[1:], ours[:-1, -1]), "a block begins where the one before it ended"


@pytest.mark.parametrize("mode", MODES)
def test_both_interpreters_write_the_same_bytes(mode: Mode, conversation: np.ndarray) -> None:
    samples = np.concatenate((extremes(), conversation))
    for interpreter in INTERPRETERS:
        interpreter.require()
    first, second = (encode(interpreter, samples, mode).payloads for interpreter in INTERPRETERS)
    assert np.array_equal(first, second)


def test_white_noise_is_no_more_than_that_of_another_encoder(conversation: np.ndarray) -> None:
    file = io.BytesIO()
    soundfile.write(file, conversation, RATE, format="WAV", subtype="IMA_ADPCM")
    file.seek(0)
    theirs, _ = soundfile.read(file, dtype="int16")
    ours = decode(encode(BITS64, conversation, WHITE).payloads)
    assert snr_db(conversation, ours) > snr_db(conversation, theirs[: len(conversation)]) - 0.1


def test_shaped_noise_is_weak_where_the_sound_is_weak(conversation: np.ndarray) -> None:
    low, high = bands_db(conversation)
    voiced = (low > high + 25) & (low > low.max() - 25)
    (shaped_low, shaped_high), (white_low, white_high) = (
        bands_db(noise_of(conversation, decode(encode(BITS64, conversation, mode).payloads)))
        for mode in (SHAPED, WHITE)
    )
    assert voiced.sum() > 300
    fallen_db, risen_db = (white_high - shaped_high)[voiced].mean(), (shaped_low - white_low)[voiced].mean()
    assert fallen_db > 1.5 and fallen_db + risen_db > 6
    assert (low - shaped_low)[voiced].mean() > 30


def bands_db(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Power of each 32 ms frame below and above 4 kHz."""
    frames = samples[: len(samples) // 512 * 512].reshape(-1, 512) * np.hanning(512)
    power = np.square(np.abs(np.fft.rfft(frames))) + 1
    return 10 * np.log10(power[:, :128].sum(axis=1)), 10 * np.log10(power[:, 128:].sum(axis=1))


@pytest.mark.parametrize("shaped", [True, False])
def test_its_arithmetic_stays_within_the_boards_integers(monkeypatch: pytest.MonkeyPatch, shaped: bool) -> None:
    encoder = import_checked(monkeypatch, "card.capture.adpcm")
    monkeypatch.setattr(builtins, "ptr8", lambda buffer: buffer)  # a bytearray checks its own range, 0 to 255
    state = encoder.new_state(shaped)
    payload = bytearray(PAYLOAD_BYTES)
    payloads = bytearray()
    for frame in extremes().reshape(-1, FRAME_SAMPLES):
        encoder.put_state(state, payload, 0)
        encoder.encode(array("h", frame.tobytes()), FRAME_SAMPLES, state, payload, 4)
        payloads += payload
    expected = encode(BITS64, extremes(), SHAPED if shaped else WHITE).payloads
    assert payloads == expected.tobytes()
