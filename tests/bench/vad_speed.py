"""The voice detector's speed here and its share of the board's processor; prints one JSON object.

The share is an estimate: instructions of the compiled viper functions, counted by `xtensa`, times how often a frame runs
them, plus an allowance for what is not in them. It takes one instruction for one cycle; where branches and loads wait, the
true share is higher, up to about twice."""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

import xtensa
from interpreters import BITS32, BITS64, ROOT, Interpreter
from vad_material import RATE, conversation, int16, material, mixed
from vad_oracle import Job, card, original

VAD = ROOT / "firmware" / "card" / "capture" / "vad"
CLOCK_HZ = 240_000_000
FRAME_SAMPLES = 480
FRAMES_PER_S = RATE / FRAME_SAMPLES
RUNS = 5

BANDS, GAUSSIANS = 6, 12
EIGHT_KHZ = 240  # samples of a frame at 8 kHz; all bands together have as many
PAIRS_SPLIT = 120 + 60 + 60 + 30 + 15
# For each function its calls in a frame of 30 ms, then how often in all they run each loop; at worst where that depends on
# the sound (bit lengths of at most 31, 16 shifts, one value a band dropped and inserted at the front). Speech and noise
# are both counted, though a frame is one or the other.
WORK = {
    ("filter_bank", "halve"): (1, (EIGHT_KHZ,)),
    ("filter_bank", "split"): (5, (PAIRS_SPLIT,)),
    ("filter_bank", "high_pass"): (1, (15,)),
    ("energy", "log_energy"): (BANDS, (EIGHT_KHZ, BANDS * 6, BANDS * 30, EIGHT_KHZ, BANDS * 16, BANDS * 14)),
    ("model", "likelihoods"): (2, (2 * GAUSSIANS,)),
    ("model", "shares"): (2, (2 * BANDS,)),
    ("decision", "speech_is_likelier"): (1, (BANDS, BANDS * 27, BANDS * 27)),
    ("minimum", "keep_smallest"): (1, (BANDS, BANDS * 16, BANDS * 15, BANDS * 15)),
    ("minimum", "smooth"): (1, (BANDS,)),
    ("adaptation", "move_speech_deviations"): (1, (GAUSSIANS,)),
    ("adaptation", "move_noise_deviations"): (1, (GAUSSIANS,)),
    ("adaptation", "move_speech_means"): (1, (GAUSSIANS,)),
    ("adaptation", "move_noise_means"): (1, (BANDS, GAUSSIANS)),
    ("adaptation", "keep_apart"): (1, (BANDS,)),
}
DIVISIONS = 2 * GAUSSIANS + 2 * BANDS + 2 * GAUSSIANS
# Allowances, not measured: the helper of a division; a call from bytecode with its arguments and the bytecodes around it.
DIVISION_INSTRUCTIONS = 60
CALL_INSTRUCTIONS = 1000


def instructions_per_s() -> float:
    modules = {module: xtensa.functions(VAD / f"{module}.py") for module, _ in WORK}
    counted = {(module, name) for module, functions in modules.items() for name in functions}
    assert counted == set(WORK), "every viper function has its place in WORK"
    viper = sum(modules[module][name].instructions(*work) for (module, name), work in WORK.items())
    calls = sum(calls for calls, _ in WORK.values())
    return FRAMES_PER_S * (viper + DIVISIONS * DIVISION_INSTRUCTIONS + calls * CALL_INSTRUCTIONS)


def realtime_factor(interpreter: Interpreter) -> float:
    """Best of some runs over a conversation in noise, reading the file included."""
    speech = conversation()
    noise = np.random.default_rng(3).normal(size=len(speech))
    job = Job(int16(mixed(speech, noise, 15)), 0, FRAME_SAMPLES)
    best_us = min(outcome.took_us for outcome in card(interpreter, [job] * RUNS))
    return len(job.samples) / RATE * 1_000_000 / best_us


def hour() -> np.ndarray:
    """One hour of everything, at changing levels: 120,000 frames of 30 ms, so that int16 counters would wrap."""
    random = np.random.default_rng(4)
    sounds = list(material().values())
    parts: list[np.ndarray] = []
    while sum(map(len, parts)) < 3600 * RATE:
        part = sounds[random.integers(len(sounds))]
        parts.append(int16(part * 10 ** random.uniform(-1.5, 0.3)))
    return np.concatenate(parts)[: 3600 * RATE]


def differences(interpreters: list[Interpreter]) -> tuple[int, int]:
    """Frames of the hour in each mode on each interpreter, and how many are not decided as by the original."""
    samples = hour()
    jobs = [Job(samples, mode, FRAME_SAMPLES) for mode in range(4)]
    expected = [original(job) for job in jobs]
    frames = wrong = 0
    for interpreter in interpreters:
        for outcome, wanted in zip(card(interpreter, jobs), expected, strict=True):
            frames += len(wanted)
            wrong += sum(a != b for a, b in zip(outcome.decisions, wanted, strict=True))
    return frames, wrong


def measure() -> dict[str, float]:
    instructions = instructions_per_s()
    figures = {
        "vad_realtime_factor": round(realtime_factor(BITS64), 1),
        "vad_xtensa_instructions_per_s": round(instructions),
        "vad_share_of_240mhz": round(instructions / CLOCK_HZ, 4),
    }
    interpreters = [BITS64]
    if BITS32.path is not None and BITS32.path.exists():
        interpreters.append(BITS32)
        figures["vad_realtime_factor_32_bit"] = round(realtime_factor(BITS32), 1)
    frames, wrong = differences(interpreters)
    return figures | {"vad_hour_frames": frames, "vad_hour_differences": wrong}


if __name__ == "__main__":
    json.dump(measure(), sys.stdout)
    sys.stdout.write("\n")
