"""The decoder gives what libsndfile's own IMA ADPCM decoder gives, sample for sample."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from voicecard.library import adpcm


def wav_blocks(wav: bytes) -> tuple[int, int]:
    """Where an IMA ADPCM WAV's sound lies, and the bytes of a block."""
    align = int.from_bytes(wav[wav.index(b"fmt ") + 20 :][:2], "little")
    return wav.index(b"data") + 8, align


def ima_wav(samples: np.ndarray) -> bytearray:
    file = io.BytesIO()
    soundfile.write(file, samples, 16000, format="WAV", subtype="IMA_ADPCM")
    return bytearray(file.getvalue())


def assert_decodes_as_libsndfile(wav: bytes) -> None:
    at, align = wav_blocks(wav)
    blocks = np.frombuffer(wav, np.uint8, offset=at)
    blocks = blocks[: len(blocks) // align * align].reshape(-1, align)
    expected, _ = soundfile.read(io.BytesIO(wav), dtype="int16")
    # A WAV block's predictor is itself the first sample; ours is the state before it.
    predictors = np.ascontiguousarray(blocks[:, :2]).view("<i2").ravel()
    decoded = adpcm.decode(predictors, blocks[:, 2], blocks[:, 4:])
    ours = np.column_stack((predictors, decoded)).ravel()
    assert len(expected) > 10_000
    assert np.array_equal(ours[: len(expected)], expected)


def loud_and_quiet() -> np.ndarray:
    random = np.random.default_rng(1)
    envelope = np.abs(np.sin(np.arange(40_000) / 3000)) ** 4
    return (envelope * random.integers(-32768, 32768, 40_000)).astype(np.int16)


def test_encoded_sound_is_decoded_exactly() -> None:
    assert_decodes_as_libsndfile(bytes(ima_wav(loud_and_quiet())))


@pytest.mark.parametrize("seed", range(3))
def test_any_codes_from_any_state_are_decoded_exactly(seed: int) -> None:
    wav = ima_wav(loud_and_quiet())
    at, align = wav_blocks(wav)
    random = np.random.default_rng(seed)
    blocks = random.integers(0, 256, ((len(wav) - at) // align, align), np.uint8)
    blocks[:, 2] = random.integers(0, adpcm.MAX_STEP_INDEX + 1, len(blocks))
    blocks[:, 3] = 0
    wav[at : at + blocks.size] = blocks.tobytes()
    assert_decodes_as_libsndfile(bytes(wav))


def test_a_step_index_beyond_the_table_counts_as_its_last() -> None:
    codes = np.arange(240, dtype=np.uint8)[np.newaxis]
    start = np.zeros(1, np.int16)
    last, beyond = (adpcm.decode(start, np.array([index], np.uint8), codes) for index in (88, 255))
    assert np.array_equal(last, beyond)
