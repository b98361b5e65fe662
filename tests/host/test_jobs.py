"""The queue remembers what files do not tell, through ends and damage; what failed is tried again, or waits for a person."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_archive import take_in
from vcr import conversation

from voicecard.config import Config
from voicecard.errors import BackendError, DiskFullError, LibraryError
from voicecard.jobs import worker
from voicecard.jobs.intake import arrived, fill, release
from voicecard.jobs.queue import Job, Queue, State
from voicecard.jobs.retry import FIRST_S, LONGEST_S, MOST_TRIES, back_off_s, cut, failed
from voicecard.jobs.stages import DECODE, STAGES, TRANSCRIBE
from voicecard.jobs.tools import Tools
from voicecard.jobs.worker import Orders, Report, Worker
from voicecard.library.archive import Library
from voicecard.transcribe.backend import Backend, Heard
from voicecard.transcript import Segment

NOW_S = 1_800_000_000.0


class Ears(Backend):
    """Hears "yes", unless `trouble` is something to raise; counts."""

    name, description = "ears", "for tests"

    def __init__(self) -> None:
        self.heard = 0
        self.trouble: BaseException | None = None

    def transcribe(self, samples: object, sample_rate: int, language: str = "") -> Heard:
        self.heard += 1
        if self.trouble:
            raise self.trouble
        return Heard((Segment(0.0, 0.1, "yes"),))


class Bench:
    def __init__(self, library: Library) -> None:
        self.library = library
        self.ears = Ears()
        self.tools = Tools(library, Config())
        self.tools.backend = self.ears
        self.queue = Queue(library.path)
        self.now_s = NOW_S

    def run(self, **orders: object) -> Report:
        fill(self.queue, self.tools)
        return Worker(self.queue, self.tools, Orders(**orders), clock=lambda: self.now_s).run()  # type: ignore[arg-type]

    def states(self, stage: str = TRANSCRIBE) -> list[State]:
        return [job.state for job in self.queue.jobs() if job.stage == stage]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with Library(tmp_path / "library") as library:
        for number in (1, 2, 3):
            take_in(library, conversation(number=number, nonce=bytes([number]) * 8))
        bench = Bench(library)
        with bench.queue:
            yield bench


def transcribed(library: Library) -> int:
    return sum(entry.transcript_backend == "ears" for entry in library.entries())


def test_what_files_lack_is_made_once(bench: Bench) -> None:
    bench.library.entry("k3f92b-2").audio.unlink()
    report = bench.run()
    assert len(report.done) == 4 and not report.failed
    assert transcribed(bench.library) == 3 and bench.library.entry("k3f92b-2").audio.exists()
    before = bench.ears.heard
    assert bench.run() == Report() and bench.ears.heard == before
    (bench.library.entry("k3f92b-1").folder / "transcript.json").unlink()
    assert len(bench.run().done) == 1, "what is gone is made again"


def test_a_failure_touches_nothing_else_and_is_tried_again_by_itself(bench: Bench) -> None:
    bench.library.entry("k3f92b-3").audio.unlink()
    bench.ears.trouble = BackendError("the server is asleep", retry=True, retry_after_s=100)
    report = bench.run(limit=2)
    assert [ended.job.stage for ended in report.done] == [DECODE] and len(report.failed) == 1
    (job,) = [job for job in bench.queue.jobs() if job.state is State.FAILED]
    assert job.error == "the server is asleep" and "tried again by itself" in job.advice
    assert NOW_S + 100 <= job.due_s <= NOW_S + 100 + FIRST_S
    assert bench.library.entry("k3f92b-3").audio.exists()
    bench.ears.trouble = None
    bench.now_s = job.due_s - 1
    bench.run()
    assert transcribed(bench.library) == 2, "not before the server wants it"
    bench.now_s = job.due_s
    bench.run()
    assert transcribed(bench.library) == 3 and set(bench.states()) == {State.DONE}


@pytest.mark.parametrize(
    "error, state",
    [
        (BackendError("429", retry=True), State.FAILED),
        (BackendError("400"), State.GIVEN_UP),
        (OSError("disk"), State.FAILED),
        (ValueError("a bug"), State.GIVEN_UP),
    ],
)
def test_what_is_tried_again_and_what_is_a_persons(error: Exception, state: State) -> None:
    job = failed(Job("k", TRANSCRIBE), error, "k3f92b-1", NOW_S, 0.5)
    assert job.state is state and "voicecard retry k3f92b-1" in job.advice and job.error
    for _ in range(MOST_TRIES):
        job = failed(job, BackendError("503", retry=True), "k", NOW_S, 1.0)
    assert job.state is State.GIVEN_UP and job.tries == MOST_TRIES + 1


@given(st.integers(1, 100), st.floats(0, 1))
def test_back_off_grows_within_bounds_and_is_drawn(times: int, share: float) -> None:
    assert 0 <= back_off_s(times, share) <= min(LONGEST_S, FIRST_S * 2 ** (times - 1))
    assert back_off_s(times, 1.0) == min(LONGEST_S, FIRST_S * 2 ** (times - 1))


def test_many_failures_in_a_row_stop_the_stage_for_now(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "MOST_IN_A_ROW", 2)
    bench.ears.trouble = BackendError("no", retry=True)
    report = bench.run()
    assert (len(report.failed), report.stopped, bench.ears.heard) == (2, {TRANSCRIBE}, 2)
    assert sorted(bench.states()) == [State.FAILED, State.FAILED, State.WAITING]


def test_an_end_in_the_middle_waits_again_and_is_not_held_against_it(bench: Bench) -> None:
    bench.ears.trouble = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        bench.run()
    assert bench.states() == [State.WAITING] * 3
    job = bench.queue.jobs()[0]
    bench.queue.put(Job(job.recording, job.stage, State.RUNNING))  # as a killed process leaves it
    bench.ears.trouble = None
    assert len(bench.run().done) == 3
    bench.queue.put(Job(job.recording, job.stage, State.RUNNING, cuts=5))
    worker.put_right(bench.queue, NOW_S)
    assert release(bench.queue, {job.recording}, [TRANSCRIBE], held=False, again=False) == 1
    assert bench.queue.due(NOW_S) != [], "a person need not wait"
    again = cut(cut(job, NOW_S, 1.0), NOW_S, 1.0)
    assert (again.state, again.cuts, again.tries) == (State.WAITING, 2, 0) and again.due_s == NOW_S + FIRST_S


def test_a_full_disk_ends_the_run_and_the_job_waits(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise DiskFullError("the disk is full")

    monkeypatch.setattr(Library, "save_transcript", full)
    with pytest.raises(DiskFullError):
        bench.run()
    assert bench.states() == [State.WAITING] * 3


def test_held_back_is_done_only_when_named(bench: Bench) -> None:
    entries = bench.library.entries()
    arrived(bench.queue, bench.tools, entries, held=True)
    assert bench.run().done == []
    keys = {entries[0].key}
    assert release(bench.queue, None, list(STAGES), held=False, again=False) == 0
    assert release(bench.queue, keys, list(STAGES), held=True, again=False) == 1
    assert len(bench.run().done) == 1 and transcribed(bench.library) == 1
    assert release(bench.queue, keys, [TRANSCRIBE], held=True, again=True) == 1, "done again, if a person says so"
    assert len(bench.run().done) == 1


def test_jobs_of_what_was_thrown_away_wait_for_it(bench: Bench) -> None:
    bench.library.remove(bench.library.entry("k3f92b-2"))
    assert len(bench.run().done) == 2
    bench.library.take_back("k3f92b-2")
    assert len(bench.run().done) == 1 and transcribed(bench.library) == 3


def test_one_process_works_at_a_time(bench: Bench) -> None:
    with Queue(bench.library.path) as other, other.lock:
        report = bench.run()
    assert report.busy and bench.ears.heard == 0
    assert len(bench.run().done) == 3


@pytest.mark.parametrize("damage", [b"", b"no queue"])
def test_a_damaged_queue_is_set_aside_and_made_again(bench: Bench, damage: bytes) -> None:
    bench.run(limit=1)
    bench.queue.__exit__()
    (bench.library.path / "jobs.db").write_bytes(damage)
    bench.queue = Queue(bench.library.path)
    fill(bench.queue, bench.tools)
    assert len(bench.run().done) == 2 and transcribed(bench.library) == 3
    bench.queue.__exit__()


def test_a_newer_queue_is_left_alone(bench: Bench) -> None:
    bench.queue.__exit__()
    path = bench.library.path / "jobs.db"
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.commit()
    db.close()
    with pytest.raises(LibraryError, match="newer voicecard"):
        Queue(bench.library.path)
    path.unlink()
    bench.queue = Queue(bench.library.path)
