"""The card's voice detector decides as the original does, on every frame, on 64-bit and on 32-bit integers.

The card's code runs with its heap locked, so a frame that allocates fails here too."""

from __future__ import annotations

import pytest

from interpreters import INTERPRETERS, Interpreter
from vad_material import material
from vad_oracle import Job, card, original

PAIRS = [(mode, frame_samples) for mode in range(4) for frame_samples in (160, 320, 480)]
SETTLING_FRAMES = 10


@pytest.fixture(scope="module")
def jobs() -> dict[str, Job]:
    return {
        f"{name}, mode {mode}, frames of {frame_samples}": Job(samples, mode, frame_samples)
        for name, samples in material().items()
        for mode, frame_samples in PAIRS
    }


@pytest.fixture(scope="module")
def expected(jobs: dict[str, Job]) -> dict[str, str]:
    return {what: original(job) for what, job in jobs.items()}


@pytest.mark.parametrize("interpreter", INTERPRETERS, ids=lambda interpreter: interpreter.name)
def test_every_frame_is_decided_as_by_the_original(
    interpreter: Interpreter, jobs: dict[str, Job], expected: dict[str, str]
) -> None:
    interpreter.require()
    decided = {what: run.decisions for what, run in zip(jobs, card(interpreter, jobs.values()), strict=True)}
    first_differences = {
        what: next(n for n, (ours, theirs) in enumerate(zip(decided[what], wanted, strict=True)) if ours != theirs)
        for what, wanted in expected.items()
        if decided[what] != wanted
    }
    assert first_differences == {}


@pytest.mark.parametrize("pair", PAIRS)
def test_the_material_asks_for_both_answers(
    pair: tuple[int, int], jobs: dict[str, Job], expected: dict[str, str]
) -> None:
    answers = [
        set(expected[what][SETTLING_FRAMES:]) for what, job in jobs.items() if (job.mode, job.frame_samples) == pair
    ]
    assert sum(answer == {"0", "1"} for answer in answers) > len(answers) / 3
