"""What the codec costs: prints one JSON object. `codec.py [--sentences N]` needs flite and ffmpeg on PATH.

Word error rates (%) are those of the embedded transcriber on the sentences of sentences.txt, spoken by four voices of flite in
turn at -26 dBFS: clean, and in white and in pink noise 25 dB below. Each way of coding hears the same samples:

    pcm           not coded
    plain         ffmpeg's adpcm_ima_wav
    white         the card's encoder without shaping
    first_order   the card's encoder with a fixed filter: 0.8 of the last error comes back
    shaped        the card's encoder as the recorder uses it

Signal-to-noise ratios are those of the demo conversation. The share of a core is estimated: instructions of the compiled viper
functions, counted by `xtensa` (both ways of a branch), times how often a frame runs them, one cycle each."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import cycle
from pathlib import Path

import numpy as np
import soundfile

sys.path.insert(0, str(Path(__file__).parents[1]))

from adpcm_encoder import FIRST_ORDER, FRAME_SAMPLES, RATE, SHAPED, WHITE, Mode, decode, encode, snr_db
from interpreters import BITS64, ROOT
from xtensa import functions

VOICES = ("rms", "slt", "awb", "kal16")
SPEECH_DBFS, NOISE_DB = -26, -25
PAUSE_SAMPLES = RATE * 3 // 20
NOISES = ("clean", "white_25_db", "pink_25_db")
MODES = {"white": WHITE, "first_order": FIRST_ORDER, "shaped": SHAPED}
VARIANTS = ("pcm", "plain", *MODES)
ENCODER = ROOT / "firmware" / "card" / "capture" / "adpcm.py"
# For each function how often a frame calls it, and how often its loops run in that; the loops that scale run less.
WORK = {"_within": (2, ()), "_shape": (1, (240, 8, 240, 12)), "_quantise": (1, (480,))}
CLOCK_HZ = 240_000_000


def spoken(voice: str, sentence: str) -> np.ndarray:
    """Full scale 1.0, with a short pause before and after."""
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "spoken.wav"
        subprocess.run(["flite", "-voice", voice, "-t", sentence, "-o", wav], check=True)
        samples, rate = soundfile.read(wav)
    assert rate == RATE
    level = np.sqrt(np.square(samples[np.abs(samples) > 0.01]).mean())
    return np.pad(samples * amplitude(SPEECH_DBFS) / level, PAUSE_SAMPLES)


def amplitude(db: float) -> float:
    return float(10 ** (db / 20))


def with_noise(speech: np.ndarray, noise: str, seed: int) -> np.ndarray:
    """Whole frames of int16."""
    speech = np.pad(speech, (0, -len(speech) % FRAME_SAMPLES))
    if noise != "clean":
        spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(len(speech)))
        if noise == "pink_25_db":
            hertz = np.fft.rfftfreq(len(speech), 1 / RATE)
            spectrum /= np.sqrt(np.maximum(hertz, 50))
        samples = np.fft.irfft(spectrum, len(speech))
        speech = speech + samples * amplitude(SPEECH_DBFS + NOISE_DB) / samples.std()
    return np.clip(np.round(speech * 32768), -32768, 32767).astype(np.int16)


def coded(variant: str, samples: np.ndarray) -> np.ndarray:
    if variant == "pcm":
        return samples
    return through_ffmpeg(samples) if variant == "plain" else through_card(MODES[variant], samples)


def through_card(mode: Mode, samples: np.ndarray) -> np.ndarray:
    return decode(encode(BITS64, samples, mode).payloads)


def through_ffmpeg(samples: np.ndarray) -> np.ndarray:
    """By its own decoder, which rounds otherwise than the standard's."""
    raw = ["-f", "s16le", "-ar", str(RATE), "-ac", "1"]
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "coded.wav"
        into = ["ffmpeg", "-v", "error", *raw, "-i", "-", "-c:a", "adpcm_ima_wav", wav]
        subprocess.run(into, input=samples.tobytes(), check=True)
        out_of = ["ffmpeg", "-v", "error", "-i", wav, *raw, "-"]
        decoded = subprocess.run(out_of, capture_output=True, check=True).stdout
    return np.frombuffer(decoded, np.int16)[: len(samples)]


def word_errors(sentences: list[str], speech: list[np.ndarray], task: tuple[str, str]) -> tuple[int, int]:
    """Errors and words of all sentences, in this noise and coded so."""
    from voicecard.transcribe.pocketsphinx import PocketSphinx
    from voicecard.transcribe.score import word_error_rate

    variant, noise = task
    transcriber = PocketSphinx()
    errors = words = 0
    heard = [with_noise(samples, noise, seed) for seed, samples in enumerate(speech)]
    ends = np.cumsum([len(samples) for samples in heard])[:-1]
    for sentence, samples in zip(sentences, np.split(coded(variant, np.concatenate(heard)), ends), strict=True):
        text = " ".join(segment.text for segment in transcriber.transcribe(np.ascontiguousarray(samples), RATE))
        score = word_error_rate(sentence, text)
        errors += score.substitutions + score.deletions + score.insertions
        words += score.words
    return errors, words


def word_error_rates(sentences: list[str]) -> dict[str, float]:
    speech = [spoken(voice, sentence) for voice, sentence in zip(cycle(VOICES), sentences, strict=False)]
    tasks = [(variant, noise) for variant in VARIANTS for noise in NOISES]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        counts = dict(zip(tasks, pool.map(partial(word_errors, sentences, speech), tasks), strict=True))
    rates = {f"codec_{variant}_{noise}": rate([count]) for (variant, noise), count in counts.items()}
    rates |= {f"codec_{variant}": rate([counts[variant, noise] for noise in NOISES]) for variant in VARIANTS}
    return {f"{name}_word_error_rate": value for name, value in rates.items()}


def rate(counts: list[tuple[int, int]]) -> float:
    errors, words = map(sum, zip(*counts, strict=True))
    return round(100 * errors / words, 1)


def sound_figures() -> dict[str, float]:
    samples, _ = soundfile.read(ROOT / "tests" / "demo" / "conversation.flac", dtype="int16")
    samples = samples[: len(samples) // FRAME_SAMPLES * FRAME_SAMPLES]
    ratios = {f"codec_{name}_snr_db": snr_db(samples, coded(name, samples)) for name in VARIANTS if name != "pcm"}
    factors = {
        f"codec_{name}_realtime_factor": max(encode(BITS64, samples, MODES[name]).realtime_factor for _ in range(3))
        for name in ("white", "shaped")
    }
    counted = functions(ENCODER)
    instructions = sum(counted[name].instructions(*work) for name, work in WORK.items()) * RATE / FRAME_SAMPLES
    return {
        **{name: round(value, 2) for name, value in ratios.items()},
        **{name: round(value) for name, value in factors.items()},
        "codec_xtensa_instructions_per_s": round(instructions),
        "codec_share_of_240mhz": round(instructions / CLOCK_HZ, 4),
    }


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sentences", type=int, help="speak only so many, for a quick look")
    chosen = parser.parse_args()
    lacking = [program for program in ("flite", "ffmpeg") if shutil.which(program) is None]
    if lacking:
        print(f"codec: {' and '.join(lacking)} not on PATH; install and run again.", file=sys.stderr)
        return 1
    sentences = Path(__file__).with_name("sentences.txt").read_text(encoding="utf-8").splitlines()[: chosen.sentences]
    print(json.dumps({**sound_figures(), **word_error_rates(sentences)}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
