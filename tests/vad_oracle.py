"""Decisions on the same sound by the original voice detector and by the card's, in MicroPython."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import webrtcvad

from interpreters import ROOT, Interpreter
from vad_material import RATE


@dataclass(frozen=True)
class Job:
    """Sound (int16 at 16 kHz) for a new detector of this mode and frame length."""

    samples: np.ndarray
    mode: int
    frame_samples: int


@dataclass(frozen=True)
class Outcome:
    decisions: str  # a 0 or 1 for each frame
    took_us: int


def original(job: Job) -> str:
    """What the module webrtcvad decides: a 0 or 1 for each frame."""
    detector = webrtcvad.Vad(job.mode)
    raw = job.samples.tobytes()
    size = 2 * job.frame_samples
    starts = range(0, len(raw) - size + 1, size)
    return "".join("01"[detector.is_speech(raw[at : at + size], RATE)] for at in starts)


def card(interpreter: Interpreter, jobs: Iterable[Job]) -> list[Outcome]:
    """What the card's code decides, all in one process with the heap locked during each job."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files: dict[int, Path] = {}
        lines = []
        for job in jobs:
            raw = files.setdefault(id(job.samples), folder / f"{len(files)}.raw")
            if not raw.exists():
                job.samples.tofile(raw)
            lines.append(f"{job.mode} {job.frame_samples} {raw}\n")
        (folder / "jobs").write_text("".join(lines), encoding="utf-8")
        runner = ROOT / "tests" / "firmware" / "vad_decisions.py"
        command = [*interpreter.command(), runner, ROOT / "firmware", folder / "jobs"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise RuntimeError(done.stdout[-2000:] + done.stderr[-2000:])
    fields = (line.split(" ") for line in done.stdout.splitlines())
    return [Outcome(decisions, int(took_us)) for took_us, decisions in fields]
