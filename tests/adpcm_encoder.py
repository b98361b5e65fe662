"""Sound through the card's encoder, in MicroPython; the same encoder in plain Python; and a decoder that is nobody's of ours."""

from __future__ import annotations

import io
import struct
import subprocess
import tempfile
from dataclasses import dataclass
from math import pi, sin
from pathlib import Path

import numpy as np
import soundfile

from interpreters import ROOT, Interpreter

RATE = 16000
FRAME_SAMPLES = 480
STATE_BYTES = 4
PAYLOAD_BYTES = STATE_BYTES + FRAME_SAMPLES // 2

ORDER = 12
SURVIVORS = 3
# fmt: off
STEPS = (
    7, 8, 9, 10, 11, 12, 13, 14, 16, 17, 19, 21, 23, 25, 28, 31, 34, 37, 41, 45, 50, 55, 60, 66, 73, 80, 88, 97, 107,
    118, 130, 143, 157, 173, 190, 209, 230, 253, 279, 307, 337, 371, 408, 449, 494, 544, 598, 658, 724, 796, 876,
    963, 1060, 1166, 1282, 1411, 1552, 1707, 1878, 2066, 2272, 2499, 2749, 3024, 3327, 3660, 4026, 4428, 4871, 5358,
    5894, 6484, 7132, 7845, 8630, 9493, 10442, 11487, 12635, 13899, 15289, 16818, 18500, 20350, 22385, 24623, 27086,
    29794, 32767,
)
# fmt: on
INDEX_CHANGES = (-1, -1, -1, -1, 2, 4, 6, 8)


@dataclass(frozen=True)
class Encoded:
    payloads: np.ndarray  # (blocks, 244) bytes: a codec state and its codes
    realtime_factor: float


def encode(interpreter: Interpreter, samples: np.ndarray, shaped: bool = True) -> Encoded:
    """Whole frames of samples (int16), with the heap locked."""
    with tempfile.TemporaryDirectory() as name:
        raw, out = Path(name) / "raw", Path(name) / "out"
        samples.astype(np.int16).tofile(raw)
        runner = ROOT / "tests" / "firmware" / "adpcm_blocks.py"
        command = [*interpreter.command(), runner, ROOT / "firmware", raw, out, str(int(shaped))]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            raise RuntimeError(done.stdout[-2000:] + done.stderr[-2000:])
        payloads = np.fromfile(out, np.uint8).reshape(-1, PAYLOAD_BYTES)
    length_us = len(payloads) * FRAME_SAMPLES / RATE * 1e6
    return Encoded(payloads, length_us / max(1, int(done.stdout)))


def decode(payloads: np.ndarray) -> np.ndarray:
    """As blocks of a WAV, whose first sample is the state's predictor: each block decodes to one sample more than it has codes."""
    layout = (0x11, 1, RATE, RATE * PAYLOAD_BYTES // (FRAME_SAMPLES + 1), PAYLOAD_BYTES, 4, 2, FRAME_SAMPLES + 1)
    chunks = b"fmt " + struct.pack("<IHHIIHHHH", 20, *layout)
    chunks += b"fact" + struct.pack("<II", 4, len(payloads) * (FRAME_SAMPLES + 1))
    chunks += b"data" + struct.pack("<I", payloads.size) + payloads.tobytes()
    wav = b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks
    samples, _ = soundfile.read(io.BytesIO(wav), dtype="int16")
    return samples.reshape(len(payloads), FRAME_SAMPLES + 1)[:, 1:].ravel()


def noise_of(samples: np.ndarray, decoded: np.ndarray) -> np.ndarray:
    return decoded.astype(float) - samples[: len(decoded)]


def snr_db(samples: np.ndarray, decoded: np.ndarray) -> float:
    noise = noise_of(samples, decoded)
    return float(10 * np.log10(np.square(samples[: len(noise)].astype(float)).sum() / np.square(noise).sum()))


@dataclass(frozen=True)
class Survivor:
    """One way of coding a frame so far; `pending` is what past errors add to the samples to come, Q8."""

    value: int
    index: int
    pending: tuple[int, ...]
    cost: int = 0
    codes: tuple[int, ...] = ()


def reference(samples: np.ndarray, shaped: bool = True) -> np.ndarray:
    """The payloads of whole frames, by the encoder as plainly as it can be said."""
    best = Survivor(0, 0, (0,) * ORDER)
    payloads = []
    for frame in samples.reshape(-1, FRAME_SAMPLES).tolist():
        coefficients = prediction_error_filter(frame) if shaped else [0] * ORDER
        state = struct.pack("<hBB", best.value, best.index, 0)
        survivors = [Survivor(best.value, best.index, best.pending)]
        for wanted in frame:
            survivors = step(survivors, wanted, coefficients)
        best = min(survivors, key=lambda survivor: survivor.cost)
        payloads.append(
            state + bytes(low | high << 4 for low, high in zip(best.codes[::2], best.codes[1::2], strict=True))
        )
    return np.frombuffer(b"".join(payloads), np.uint8).reshape(-1, PAYLOAD_BYTES)


def prediction_error_filter(frame: list[int]) -> list[int]:
    """Q8, bandwidth expanded by 0.98."""
    emphasised = [value - (3 * before >> 2) for value, before in zip(frame, frame[:1] + frame, strict=False)]
    shift = max(0, max(max(value, ~value) for value in emphasised).bit_length() - 9)
    y = [value >> shift for value in emphasised]
    r = [sum(a * b for a, b in zip(y, y[lag:], strict=False)) for lag in range(ORDER + 1)]
    r[0] += (r[0] >> 6) + (4 * FRAME_SAMPLES >> 2 * shift) + 1
    down = max(0, r[0].bit_length() - 13)
    hiss = [512] + [round(-512 * sin(0.85 * pi * lag) / (0.15 * pi * lag)) for lag in range(1, ORDER + 1)]
    power = r[0] >> down
    r = [(value >> down) + (power * share >> 10) for value, share in zip(r, hiss, strict=True)]
    a: list[int] = []
    unexplained = r[0] << 4
    while len(a) < ORDER and sum(value if value >= 0 else ~value for value in a) < 7 << 12:
        left = (r[len(a) + 1] << 12) + sum(p * q for p, q in zip(a, r[len(a) : 0 : -1], strict=True))
        k = max(-4000, min(4000, -(left // (unexplained >> 4))))
        a = [p + (k * q + 2048 >> 12) for p, q in zip(a, a[::-1], strict=True)] + [k]
        unexplained = max(16, unexplained - ((unexplained * k >> 12) * k >> 12))
    a += [0] * (ORDER - len(a))
    share = 1024
    for n, value in enumerate(a):
        share = share * 251 >> 8
        a[n] = value * share + 8192 >> 14
    return a


def step(survivors: list[Survivor], wanted: int, coefficients: list[int]) -> list[Survivor]:
    """The cheapest ways on to the next sample, one for each step index."""
    cheapest: dict[int, tuple[int, int, int]] = {}
    for origin, survivor in enumerate(survivors):
        distance = wanted - survivor.value - (survivor.pending[0] >> 8)
        sign = 8 if distance < 0 else 0
        distance = abs(distance)
        nearest = sum(
            distance >= (change(survivor.index, m) + change(survivor.index, m - 1) + 1) // 2 for m in range(1, 8)
        )
        for magnitude in {nearest, nearest + 1 if 3 <= nearest < 7 else nearest}:
            miss = abs(change(survivor.index, magnitude) - distance)
            candidate = (survivor.cost + miss, origin, sign | magnitude)
            index = next_index(survivor.index, magnitude)
            cheapest[index] = min(candidate, cheapest.get(index, candidate))
    kept = list(cheapest)
    while len(kept) > SURVIVORS:
        worst = max(range(len(kept)), key=lambda n: cheapest[kept[n]])
        kept[worst] = kept[-1]
        kept.pop()
    least = min(survivor.cost for survivor in survivors)
    following = []
    for index in kept:
        cost, origin, code = cheapest[index]
        before = survivors[origin]
        moved = change(before.index, code & 7)
        value = max(-32768, min(32767, before.value + (-moved if code & 8 else moved)))
        error = value - wanted
        pending = tuple(a * error + z for a, z in zip(coefficients, (*before.pending[1:], 0), strict=True))
        following.append(Survivor(value, index, pending, cost - least, (*before.codes, code)))
    return following


def change(index: int, magnitude: int) -> int:
    """What a code changes the value by (IMA recommendation, 1992)."""
    size = STEPS[index]
    return (size >> 3) + sum(size >> n for n in range(3) if magnitude & 4 >> n)


def next_index(index: int, magnitude: int) -> int:
    return max(0, min(len(STEPS) - 1, index + INDEX_CHANGES[magnitude]))
