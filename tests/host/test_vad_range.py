"""The voice detector's arithmetic stays within 32 bits, and its stores within 16, except where it says that it wraps.

So it gives the same on a board, where integers have 32 bits, as where they have 64."""

from __future__ import annotations

from array import array

import numpy as np
import pytest

from checked_viper import Int32, Pointer, import_checked
from vad_material import RATE, conversation, extremes, int16
from vad_oracle import Job, original

FRAMES = 40


def nastiest() -> dict[str, np.ndarray]:
    sounds = extremes(np.random.default_rng(2))
    sounds["clipped speech"] = 60 * conversation()[2 * RATE :]
    return {name: int16(samples) for name, samples in sounds.items()}


def test_nothing_leaves_its_range_unnoticed(monkeypatch: pytest.MonkeyPatch) -> None:
    vad = import_checked(monkeypatch, "card.capture.vad")
    for number, samples in enumerate(nastiest().values()):
        job = Job(samples[: FRAMES * 480], number % 4, (160, 320, 480)[number % 3])
        detector = vad.Detector(job.mode, job.frame_samples)
        frames = job.samples[: len(job.samples) // job.frame_samples * job.frame_samples].reshape(-1, job.frame_samples)
        decided = "".join("01"[detector.is_speech(array("h", frame.tobytes()))] for frame in frames[:FRAMES])
        assert decided == original(job)[:FRAMES]


def test_the_check_sees_what_leaves_its_range() -> None:
    with pytest.raises(OverflowError):
        Int32(2**31 - 1) + 1
    with pytest.raises(OverflowError):
        Pointer(array("h", [0]), 16)[0] = 32768
    assert Int32(2**31 - 1) + 1 == -(2**31)  # wraps
