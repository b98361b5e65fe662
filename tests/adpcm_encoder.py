"""Sound through the card's encoder, in MicroPython, and through a decoder that is nobody's of ours: libsndfile's."""

from __future__ import annotations

import io
import struct
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from interpreters import ROOT, Interpreter

RATE = 16000
FRAME_SAMPLES = 480
STATE_BYTES = 4
PAYLOAD_BYTES = STATE_BYTES + FRAME_SAMPLES // 2


@dataclass(frozen=True)
class Mode:
    """`shaped`, or a fixed filter: two coefficients of the errors as heard, and two of what is left of them, Q10."""

    shaped: bool
    coefficients: tuple[int, ...] = ()


SHAPED = Mode(True)
WHITE = Mode(False)
FIRST_ORDER = Mode(False, (-819, 0, 819, 0))  # 0.8 of the last error comes back


@dataclass(frozen=True)
class Encoded:
    payloads: np.ndarray  # (blocks, 244) bytes: a codec state and its codes
    realtime_factor: float


def encode(interpreter: Interpreter, samples: np.ndarray, mode: Mode) -> Encoded:
    """Whole frames of samples (int16), with the heap locked."""
    with tempfile.TemporaryDirectory() as name:
        raw, out = Path(name) / "raw", Path(name) / "out"
        samples.astype(np.int16).tofile(raw)
        runner = ROOT / "tests" / "firmware" / "adpcm_blocks.py"
        options = [str(int(mode.shaped)), *map(str, mode.coefficients)]
        command = [*interpreter.command(), runner, ROOT / "firmware", raw, out, *options]
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
