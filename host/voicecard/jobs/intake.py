"""What gets into the queue: what the plain files call for, what has just arrived, and what a person wants now."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from dataclasses import replace

from voicecard.jobs.queue import Job, Queue, State
from voicecard.jobs.stages import IMPORT, TRANSCRIBE, wanted
from voicecard.jobs.tools import Tools
from voicecard.library.entry import Entry

_HELD = "held back by --no-transcribe; `voicecard retry` or `voicecard transcribe` with its id does it"


def fill(queue: Queue, tools: Tools) -> None:
    """Add the jobs that are missing, open again those whose result is gone, drop those whose result has come otherwise.

    May be done at any time, by any process. The files are looked at within the transaction: whatever a worker has written down
    as done is then found done. A job for a recording that is not here (yet, or any more) stays."""
    with queue.transaction():
        entries = {entry.key: entry for entry in tools.library.entries()}
        stages = wanted(tools)
        called_for = {(key, stage.name) for key, entry in entries.items() for stage in stages if stage.lacks(entry)}
        called_for |= {(key, IMPORT) for key in tools.pending()}
        there = {job.key: job for job in queue.jobs()}
        finished = {key for key, job in there.items() if job.state is State.DONE}
        missing = sorted(called_for - (there.keys() - finished))
        queue.put(*(Job(*key, updated_s=time.time()) for key in missing))
        needless = [there[key] for key in there.keys() - finished - called_for if key[0] in entries or key[1] == IMPORT]
        queue.remove(*(job for job in needless if not job.again and job.state is not State.RUNNING))


def expected(queue: Queue, recording: str, held: bool) -> None:
    """A recording is about to come, and nothing counts of what may be known of it. `held`: no transcript is made by itself."""
    with queue.transaction():
        queue.remove(*(job for job in queue.jobs() if job.recording == recording))
        if held:
            queue.put(Job(recording, TRANSCRIBE, State.HELD, advice=_HELD, updated_s=time.time()))


def arrived(queue: Queue, tools: Tools, entries: Iterable[Entry], held: bool = False) -> None:
    """Recordings have come in, perhaps in place of a worse copy: whatever became of their jobs before, they begin anew.

    A transcript of that copy is made again. `held`: none is made by itself."""
    jobs = []
    for entry in entries:
        for stage in wanted(tools):
            again = stage.name == TRANSCRIBE and not stage.lacks(entry)
            if again or stage.lacks(entry):
                job = Job(entry.key, stage.name, again=again, updated_s=time.time())
                is_held = held and stage.name == TRANSCRIBE
                jobs.append(replace(job, state=State.HELD, advice=_HELD) if is_held else job)
    queue.put(*jobs)


def followed(queue: Queue, tools: Tools, recording: str, stage: str) -> None:
    """A stage of a recording has a new result: what is made of that is made anew."""
    if entry := tools.library.by_key(recording):
        held = {job.key for job in queue.jobs() if job.state is State.HELD}
        later = [each for each in wanted(tools) if each.after == stage and (recording, each.name) not in held]
        queue.put(*(Job(recording, each.name, again=not each.lacks(entry), updated_s=time.time()) for each in later))


def release(
    queue: Queue, recordings: Collection[str] | None, stages: Collection[str], *, held: bool, again: bool
) -> int:
    """Let jobs that wait, failed, or were given up begin now; returns how many may.

    Those of some recordings, or of all. `held`: also those that are held back; `again`: also those that are done."""
    states = {State.WAITING, State.FAILED, State.GIVEN_UP} | ({State.HELD} if held else set())
    with queue.transaction():
        jobs = [
            job for job in queue.jobs() if job.stage in stages and (recordings is None or job.recording in recordings)
        ]
        if again:
            states.add(State.DONE)
            known = {job.key for job in jobs}
            missing = {(recording, stage) for recording in recordings or () for stage in stages} - known
            jobs += [Job(*key, State.DONE) for key in sorted(missing)]
        chosen = [job for job in jobs if job.state in states]
        queue.put(*(_fresh(job) for job in chosen))
    return len(chosen)


def _fresh(job: Job) -> Job:
    again = job.again or job.state is State.DONE
    return replace(job, state=State.WAITING, again=again, tries=0, cuts=0, due_s=0.0, updated_s=time.time())
