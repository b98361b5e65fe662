"""The demo conversation is what its script says, and what the script that makes it makes."""

from __future__ import annotations

import hashlib
import runpy
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

DEMO = Path(__file__).parents[1] / "demo"
SAMPLES_SHA256 = "468c9a404e3d15336d0366eca438ab97dc3d234875f8aea60469cf4eaa85208a"
# Another release of the synthesiser may speak a little differently.
FLITE_RELEASE = "flite-2.2"


@pytest.fixture(scope="module")
def make() -> SimpleNamespace:
    return SimpleNamespace(**runpy.run_path(str(DEMO / "make_conversation.py")))


@pytest.fixture(scope="module")
def samples() -> np.ndarray:
    samples, rate = soundfile.read(DEMO / "conversation.flac", dtype="int16")
    assert rate == 16_000
    assert samples.ndim == 1
    return samples


def installed_flite() -> str:
    if shutil.which("flite") is None:
        return "none"
    return subprocess.run(["flite", "--version"], capture_output=True, text=True, check=False).stdout


def test_the_recording_is_the_one_that_the_script_makes(make: SimpleNamespace, samples: np.ndarray):
    assert hashlib.sha256(samples.astype("<i2").tobytes()).hexdigest() == SAMPLES_SHA256
    if FLITE_RELEASE in installed_flite():
        made = make.conversation()
        assert made.shape == samples.shape
        # Another processor may round differently.
        assert np.abs(made.astype(int) - samples).max() <= 1


def test_it_lasts_40_to_60_seconds_with_pauses_of_2_to_6(make: SimpleNamespace, samples: np.ndarray):
    assert 40 <= len(samples) / 16_000 <= 60
    lines = list(make.script_lines())
    assert {who for who, _ in lines} == {"rms", "slt", "pause"}
    assert pauses_s(samples) == pytest.approx([float(what) for who, what in lines if who == "pause"], abs=0.06)
    assert all(2 <= pause <= 6 for pause in pauses_s(samples)[1:-1])


def test_voices_are_as_loud_as_speech_and_the_room_is_quiet(samples: np.ndarray):
    assert dbfs(np.abs(samples.astype(int)).max()) == pytest.approx(-6, abs=0.2)
    assert dbfs(samples[: 16_000 * 3 // 2].astype(float).std()) == pytest.approx(-66, abs=0.5)


def pauses_s(samples: np.ndarray) -> list[float]:
    """Seconds of each quiet span longer than one second, in frames of 10 ms."""
    frames = samples[: len(samples) // 160 * 160].reshape(-1, 160).astype(float)
    loud = np.flatnonzero(np.sqrt(np.square(frames).mean(axis=1)) > 32768 * 10 ** (-60 / 20))
    edges = np.concatenate([[-1], loud, [len(frames)]])
    gaps = (np.diff(edges) - 1) / 100
    return [float(gap) for gap in gaps if gap > 1]


def dbfs(amplitude: float) -> float:
    return float(20 * np.log10(amplitude / 32768))
