"""An audio file as what the emulated microphone hears: 16 kHz, mono, 16 bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from voicecard.errors import VoicecardError

RATE = 16_000
_FULL_SCALE = 32_700  # leaves room for the microphone's DC offset


def prepare(source: Path, target: Path, note: Callable[[str], None]) -> int:
    """Write the sound of `source` as raw samples (16 bit, little-endian) to `target`; returns their number.

    `note` is told what had to be changed. Raises VoicecardError if the file holds no sound that can be read."""
    import numpy as np
    import soundfile

    try:
        sound, rate = soundfile.read(source, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError, RuntimeError, TypeError) as error:
        raise VoicecardError(
            f"the microphone file {source} cannot be read as audio: give a WAV, FLAC, Ogg or MP3 file"
        ) from error
    if not len(sound):
        raise VoicecardError(f"the microphone file {source} holds no sound: give another")
    if sound.shape[1] > 1:
        note(f"{source.name}: {sound.shape[1]} channels mixed to one")
    mono = sound.mean(axis=1)
    if rate != RATE:
        import soxr

        note(f"{source.name}: resampled from {rate} to {RATE} Hz")
        mono = soxr.resample(mono, rate, RATE)
    samples = np.clip(np.rint(mono * 32_768), -_FULL_SCALE, _FULL_SCALE).astype("<i2")
    samples.tofile(target)
    return len(samples)
