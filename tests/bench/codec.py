"""What the codec costs: prints one JSON object. `codec.py [--sentences N]` needs flite and ffmpeg on PATH; two cores take 25 minutes.

Word error rates (%) are those of the embedded transcriber on the sentences of sentences.txt, each spoken by four voices of flite
at -26 dBFS, half of them in white and half in pink noise 25 dB below, and all that twice, with other noise: one draw alone moves
the rate of PCM by two points. Each way of coding hears the same samples:

    pcm      not coded
    plain    ffmpeg's adpcm_ima_wav
    shaped   the card's encoder as the recorder uses it

The coded ones are also given as points above pcm with the standard error of that, from the paired differences of the utterances.
`pcm_draws_apart` is how many points lie between the two draws of pcm: what chance alone does.

Signal-to-noise ratios are those of the demo conversation, also of the card's encoder without shaping (white). The share of a core
is estimated: instructions of the compiled viper functions, counted by `xtensa` (both ways of a branch), times how often a frame
runs them, one cycle each."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path

import numpy as np
import soundfile

sys.path.insert(0, str(Path(__file__).parents[1]))

from adpcm_encoder import FRAME_SAMPLES, RATE, decode, encode, snr_db
from interpreters import BITS64, ROOT
from xtensa import functions

VOICES = ("rms", "slt", "awb", "kal16")
SPEECH_DBFS, NOISE_DB = -26, -25
PAUSE_SAMPLES = RATE * 3 // 20
NOISES = ("white", "pink")
VARIANTS = ("pcm", "plain", "shaped")
DRAWS = 2
ENCODER = ROOT / "firmware" / "card" / "capture" / "adpcm.py"
# For each function how often a frame calls it, and how often its loops run in that: of the search's, those over survivors,
# candidates and the dropped as often as in the demo conversation.
WORK = {
    "_emphasise": (1, (480, 8, 480, 24)),
    "_correlate": (1, (480, 13, 13 * 60, 14)),
    "_predict": (1, (12, 12, 66, 36, 78, 12)),
    "_search": (1, (12, 480, 1424, 1859, 269, 1181, 1426, 3, 12)),
    "_trace": (1, (240,)),
}
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


def with_noise(speech: np.ndarray, noise: str, seed: tuple[int, int, int]) -> np.ndarray:
    """Whole frames of int16."""
    speech = np.pad(speech, (0, -len(speech) % FRAME_SAMPLES))
    samples = np.random.default_rng(seed).standard_normal(len(speech))
    if noise == "pink":
        hertz = np.fft.rfftfreq(len(speech), 1 / RATE)
        samples = np.fft.irfft(np.fft.rfft(samples) / np.sqrt(np.maximum(hertz, 50)), len(speech))
    speech = speech + samples * amplitude(SPEECH_DBFS + NOISE_DB) / samples.std()
    return np.clip(np.round(speech * 32768), -32768, 32767).astype(np.int16)


def coded(variant: str, samples: np.ndarray) -> np.ndarray:
    if variant == "plain":
        return through_ffmpeg(samples)
    if variant in ("shaped", "white"):
        return decode(encode(BITS64, samples, variant == "shaped").payloads)
    return samples


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


def word_errors(task: tuple[str, int, int, list[str]]) -> list[tuple[int, int]]:
    """Errors and words of each sentence, coded so. Turn by turn the voices and the noises change places."""
    from voicecard.transcribe.pocketsphinx import PocketSphinx
    from voicecard.transcribe.score import word_error_rate

    variant, draw, turn, sentences = task
    heard = []
    for n, sentence in enumerate(sentences):
        speech = spoken(VOICES[(n + turn) % len(VOICES)], sentence)
        heard.append(with_noise(speech, NOISES[(n // len(VOICES) + turn) % 2], (n, turn, draw)))
    ends = np.cumsum([len(samples) for samples in heard])[:-1]
    transcriber = PocketSphinx()
    counts = []
    for sentence, samples in zip(sentences, np.split(coded(variant, np.concatenate(heard)), ends), strict=True):
        text = " ".join(segment.text for segment in transcriber.transcribe(np.ascontiguousarray(samples), RATE))
        score = word_error_rate(sentence, text)
        counts.append((score.substitutions + score.deletions + score.insertions, score.words))
    return counts


def word_error_rates(sentences: list[str]) -> dict[str, float]:
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        counted = list(pool.map(word_errors, product(VARIANTS, range(DRAWS), range(len(VOICES)), [sentences])))
    counts = np.array(counted).reshape(len(VARIANTS), DRAWS, -1, 2)
    errors, words = counts[..., 0], counts[0, ..., 1].sum()
    draws = 100 * DRAWS * errors[0].sum(axis=1) / words
    figures = {"codec_pcm_draws_apart": draws.max() - draws.min()}
    for variant, of_variant in zip(VARIANTS, errors, strict=True):
        above = (of_variant - errors[0]).ravel()
        figures[f"codec_{variant}_word_error_rate"] = 100 * of_variant.sum() / words
        if variant != "pcm":
            figures[f"codec_{variant}_points_above_pcm"] = 100 * above.sum() / words
            figures[f"codec_{variant}_points_standard_error"] = 100 * above.std(ddof=1) * len(above) ** 0.5 / words
    return {name: round(float(value), 1) for name, value in figures.items()}


def sound_figures() -> dict[str, float]:
    samples, _ = soundfile.read(ROOT / "tests" / "demo" / "conversation.flac", dtype="int16")
    samples = samples[: len(samples) // FRAME_SAMPLES * FRAME_SAMPLES]
    ratios = {f"codec_{name}_snr_db": snr_db(samples, coded(name, samples)) for name in ("plain", "white", "shaped")}
    factors = {
        f"codec_{name}_realtime_factor": max(
            encode(BITS64, samples, name == "shaped").realtime_factor for _ in range(3)
        )
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
