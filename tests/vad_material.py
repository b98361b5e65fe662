"""Sound to hold the voice detector against: speech in several voices, in noise, and what no microphone should give."""

from __future__ import annotations

import numpy as np
import soundfile
import soxr

from interpreters import ROOT

RATE = 16000
CONVERSATION = ROOT / "tests" / "demo" / "conversation.flac"

Samples = np.ndarray


def conversation() -> Samples:
    """Two voices in turn, 59 s, as floats at int16 scale."""
    samples, _ = soundfile.read(CONVERSATION, dtype="int16")
    return samples.astype(float)


def int16(samples: Samples) -> Samples:
    return np.clip(np.round(samples), -32768, 32767).astype(np.int16)


def voice(speech: Samples, pitch: float) -> Samples:
    """The same words faster and higher by `pitch`."""
    return soxr.resample(speech, RATE * pitch, RATE)


def pink(random: np.random.Generator, count: int) -> Samples:
    spectrum = np.fft.rfft(random.normal(size=count))
    return np.fft.irfft(spectrum / np.sqrt(np.arange(len(spectrum)) + 1), count)


def babble(random: np.random.Generator, speech: Samples, count: int) -> Samples:
    """Twelve voices at once."""
    voices = [voice(speech, pitch) for pitch in (0.8, 0.9, 1.1, 1.25)]
    return sum(np.roll(v, random.integers(len(v)))[:count] for v in voices for _ in range(3))


def mixed(speech: Samples, noise: Samples, snr_db: float) -> Samples:
    """Speech with noise so far below it, by power over the whole length."""
    gain = np.sqrt(np.mean(speech**2) / np.mean(noise**2) / 10 ** (snr_db / 10))
    return speech + gain * noise


def noises(random: np.random.Generator, speech: Samples, count: int) -> dict[str, Samples]:
    return {
        "white": random.normal(size=count),
        "pink": pink(random, count),
        "babble": babble(random, speech, count),
    }


def extremes(random: np.random.Generator) -> dict[str, Samples]:
    count = 6 * RATE
    time = np.arange(count) / RATE
    sweep = np.sin(2 * np.pi * (20 * time + 600 * time**2))
    bursts = time % 0.4 < 0.2
    return {
        "silence": np.zeros(count),
        "one bit of noise": random.integers(-1, 2, count),
        "tones": 8000 * np.sin(2 * np.pi * 440 * time) * bursts + 3000 * np.sin(2 * np.pi * 1900 * time),
        "sweep": 30000 * sweep * bursts,
        "square wave": np.where(time * 200 % 1 < 0.5, 32767, -32768),
        "lowest value": np.full(count, -32768),
        "highest value": np.full(count, 32767),
        "lowest value in bursts": np.where(time % 0.3 < 0.15, -32768, 0),
        "random": random.integers(-32768, 32768, count),
        "random in bursts": random.integers(-32768, 32768, count) * bursts,
        "random signs": np.where(random.random(count) < 0.5, -32768, 32767),
        "random levels": random.normal(size=count) * np.repeat(10 ** random.uniform(-1, 5, count // 480), 480),
    }


def material() -> dict[str, Samples]:
    """All of it by name, int16 at 16 kHz; about 6 minutes."""
    random = np.random.default_rng(1)
    speech = conversation()
    part = speech[: 12 * RATE]
    sounds = {"conversation": speech, "clipped speech": 60 * part}
    sounds |= {f"voice at {pitch}": voice(part, pitch) for pitch in (0.7, 0.85, 1.2, 1.4)}
    for name, noise in noises(random, speech, len(part)).items():
        sounds |= {f"speech in {name} noise at {snr_db} dB": mixed(part, noise, snr_db) for snr_db in (20, 10, 5, 0)}
    sounds |= extremes(random)
    return {name: int16(samples) for name, samples in sounds.items()}
