"""What the gate keeps of speech and drops of silence, in each mode and noise: prints a table for firmware/README.md, or JSON
with --json.

Speech is where the conversation, spoken without noise, is louder than -50 dBFS in a 30 ms frame or in one within 90 ms of it;
eight seconds of nothing but noise stand before every turn. "Clean" has a room of -66 dBFS; "quieter" is the speech in that room
turned down. Kept is what the gate lets through with its default pre-roll and hang-over. The detector is the original, which
decides as the card's does."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from vad_material import RATE, conversation, int16, mixed, noises
from vad_oracle import Job, original
from voicecard.hearing.replay import HANG_OVER_MS, PRE_ROLL_MS, keep

FRAME_SAMPLES, FRAME_MS = 480, 30
PAUSE_S = 8
LOUD = 32768 * 10 ** (-50 / 20)
LEVELS_DB = (20, 10, 5, 0)
QUIETER_DB = (20, 30, 40)
MODES = range(4)


def frames_of(samples: np.ndarray) -> np.ndarray:
    return samples[: len(samples) // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)


def spoken(samples: np.ndarray) -> np.ndarray:
    """Which frames hold speech: loud ones, and what lies within three frames of them."""
    loud = np.sqrt((frames_of(samples) ** 2).mean(axis=1)) > LOUD
    return np.convolve(loud, np.ones(7), "same") > 0


def with_long_pauses(samples: np.ndarray) -> np.ndarray:
    """The conversation with eight seconds of silence before every turn."""
    speech = np.repeat(spoken(samples), FRAME_SAMPLES)
    starts = np.flatnonzero(np.diff(np.concatenate(([0], speech.astype(int)))) == 1)
    turns = [starts[0], *(s for s in starts[1:] if not speech[s - RATE : s].any())]
    parts = np.split(samples, turns)
    return np.concatenate([piece for part in parts for piece in (np.zeros(PAUSE_S * RATE), part)])


def measure() -> dict[str, float]:
    random = np.random.default_rng(5)
    clean = with_long_pauses(conversation())
    speech = spoken(clean)
    floor = random.normal(size=len(clean)) * 32768 * 10 ** (-66 / 20)
    sounds = {"clean": clean + floor}
    sounds |= {f"{db}_db_quieter": clean * 10 ** (-db / 20) + floor for db in QUIETER_DB}
    for name, noise in noises(random, conversation(), 40 * RATE).items():
        sounds |= {f"{name}_{db}_db": mixed(clean, np.resize(noise, len(clean)), db) for db in LEVELS_DB}
    figures = {}
    for name, sound in sounds.items():
        for mode in MODES:
            kept, dropped = outcome(int16(sound), mode, speech)
            figures[f"gate_mode_{mode}_{name}_speech_kept"] = round(100 * kept, 1)
            figures[f"gate_mode_{mode}_{name}_silence_dropped"] = round(100 * dropped, 1)
    return figures


def outcome(samples: np.ndarray, mode: int, speech: np.ndarray) -> tuple[float, float]:
    """(share of speech frames kept, share of other frames dropped)."""
    decisions = np.array([d == "1" for d in original(Job(samples, mode, FRAME_SAMPLES))])
    kept = keep(decisions, PRE_ROLL_MS // FRAME_MS, HANG_OVER_MS // FRAME_MS)
    return float(kept[speech].mean()), float((~kept[~speech]).mean())


def table(figures: dict[str, float]) -> str:
    lines = ["| noise | " + " | ".join(f"mode {mode}" for mode in MODES) + " |", "| --- |" + " --- |" * len(MODES)]
    quieter = [f"{db}_db_quieter" for db in QUIETER_DB]
    for name in ["clean", *quieter, *(f"{noise}_{db}_db" for noise in ("white", "pink", "babble") for db in LEVELS_DB)]:
        cells = []
        for mode in MODES:
            kept = figures[f"gate_mode_{mode}_{name}_speech_kept"]
            cells.append(f"{kept:.1f} / {figures[f'gate_mode_{mode}_{name}_silence_dropped']:.0f}")
        lines.append(
            f"| {name.replace('_db', ' dB').replace('_quieter', ' quieter').replace('_', ', ')} | "
            + " | ".join(cells)
            + " |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    figures = measure()
    print(json.dumps(figures) if sys.argv[1:] == ["--json"] else table(figures))
