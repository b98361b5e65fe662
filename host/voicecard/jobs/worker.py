"""Work off what is due: one process at a time in a library, one job after the other, whatever becomes of each."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Collection
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from functools import partial

from voicecard.errors import BackendError, BusyError, DiskFullError, LibraryError, UsageError, VoicecardError
from voicecard.jobs.intake import followed
from voicecard.jobs.queue import Job, Queue, State
from voicecard.jobs.retry import BY_ITSELF, cut, failed
from voicecard.jobs.stages import IMPORT, STAGES, Stage
from voicecard.jobs.tools import Tools

Progress = Callable[[str, float, float], None]

# So many failures one after the other are the server's, not the recordings'.
MOST_IN_A_ROW = 3
BUSY_S = 30.0


@dataclass(frozen=True, slots=True)
class Ended:
    """A job as it is now. `name` is what a person calls its recording; `told`: what was made, if there is something to say."""

    job: Job
    name: str
    told: str = ""


@dataclass(slots=True)
class Report:
    """What a run did. `busy`: another process was, and is, at work on the jobs. `stopped`: stages of which nothing more was
    begun because too many in a row had failed."""

    done: list[Ended] = field(default_factory=list)
    failed: list[Ended] = field(default_factory=list)
    stopped: set[str] = field(default_factory=set)
    busy: bool = False


@dataclass(frozen=True, slots=True)
class Orders:
    """Which jobs a run may begin: of these stages, of these recordings (None: of all), so many at the most."""

    stages: Collection[str] = tuple(STAGES)
    recordings: Collection[str] | None = None
    limit: int | None = None


def put_right(queue: Queue, now_s: float) -> None:
    """Let wait again what a worker that was cut has left behind; while one is at work there is nothing to put right."""
    with suppress(BusyError), queue.lock, queue.transaction():
        running = [job for job in queue.jobs() if job.state is State.RUNNING]
        queue.put(*(cut(job, now_s, random.random()) for job in running))


class Worker:
    """`on_ended` is told of each job, `on_progress(name, done_s, total_s)` how far one is. `clock` is in seconds since 1970."""

    def __init__(
        self,
        queue: Queue,
        tools: Tools,
        orders: Orders,
        on_ended: Callable[[Ended], None] = lambda ended: None,
        on_progress: Progress = lambda name, done_s, total_s: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._queue = queue
        self._tools = tools
        self._orders = orders
        self._on_ended = on_ended
        self._on_progress = on_progress
        self._clock = clock
        self._started_s = clock()
        self._in_a_row: Counter[str] = Counter()
        self._report = Report()

    def run(self) -> Report:
        """Do what is due when this begins, and what follows from it; what fails has its turn in a later run.

        A full disk ends the run, and so does Ctrl-C; the job that was at work then waits again. Raises DiskFullError, and
        LibraryError if the queue cannot be used."""
        while True:
            with ExitStack() as held:
                try:
                    held.enter_context(self._queue.lock)
                except BusyError:
                    self._report.busy = True
                    return self._report
                put_right(self._queue, self._clock())
                while self._work_off():
                    pass
            # What others add after the last look, they leave to whoever had the lock then.
            if not self._ready():
                return self._report

    def _ready(self) -> list[Job]:
        """What may begin now, in the order in which it shall."""
        due = [job for job in self._queue.due(self._started_s) if self._may_begin(job)]
        if not due:
            return []
        here, pending = {entry.key for entry in self._tools.library.entries()}, self._tools.pending()
        found = [job for job in due if job.recording in (pending if job.stage == IMPORT else here)]
        return sorted(found, key=lambda job: (job.tries + job.cuts > 0, _ORDER.index(job.stage)))

    def _may_begin(self, job: Job) -> bool:
        orders, begun = self._orders, len(self._report.done) + len(self._report.failed)
        return (
            job.stage in orders.stages
            and job.stage not in self._report.stopped
            and (orders.recordings is None or job.recording in orders.recordings)
            and (orders.limit is None or begun < orders.limit)
        )

    def _work_off(self) -> bool:
        """Do what is ready now; returns whether anything was begun."""
        begun = [self._begin(job) for job in self._ready() if self._may_begin(job)]
        return any(begun)

    def _begin(self, job: Job) -> bool:
        entry = self._tools.library.by_key(job.recording)
        if entry is None and job.stage != IMPORT:
            return False
        if entry and not job.again and not STAGES[job.stage].lacks(entry):
            self._queue.remove(job)
            return False
        running = replace(job, state=State.RUNNING, updated_s=self._clock())
        if not self._queue.change(job, running):
            return False
        try:
            self._do(STAGES[job.stage], running)
        except BaseException:
            # Ctrl-C, or a full disk: it is as if it had not begun. If not even that can be written, it counts as cut.
            with suppress(LibraryError):
                self._queue.change(running, job)
            raise
        return True

    def _do(self, stage: Stage, job: Job) -> None:
        name = self._name(job)
        try:
            told = stage.run(self._tools, job.recording, partial(self._on_progress, name))
            if stage.lacks(self._tools.entry(job.recording)):
                raise VoicecardError(
                    f"{name} was {stage.past}, but there is no result of it: this is a bug in voicecard"
                )
        except DiskFullError:
            raise
        except BusyError as error:
            due_s = self._clock() + BUSY_S
            self._queue.change(job, replace(job, state=State.WAITING, due_s=due_s, error=str(error), advice=BY_ITSELF))
        except Exception as error:
            self._fail(job, error, name)
        else:
            self._finish(job, name, told)

    def _fail(self, job: Job, error: Exception, name: str) -> None:
        now = failed(job, error, self._id(job), self._clock(), random.random())
        self._queue.change(job, now)
        if isinstance(error, (BackendError, UsageError)) and job.stage != IMPORT:
            self._in_a_row[job.stage] += 1
            if self._in_a_row[job.stage] == MOST_IN_A_ROW:
                self._report.stopped.add(job.stage)
        self._report.failed.append(Ended(now, name))
        self._on_ended(self._report.failed[-1])

    def _finish(self, job: Job, name: str, told: str) -> None:
        now = Job(job.recording, job.stage, State.DONE, updated_s=self._clock())
        with self._queue.transaction():
            self._queue.change(job, now)
            followed(self._queue, self._tools, job.recording, job.stage)
        self._in_a_row[job.stage] = 0
        self._report.done.append(Ended(now, name, told))
        self._on_ended(self._report.done[-1])

    def _id(self, job: Job) -> str:
        entry = self._tools.library.by_key(job.recording)
        return entry.id if entry else ""

    def _name(self, job: Job) -> str:
        if job.stage == IMPORT and (pending := self._tools.pending().get(job.recording)):
            return pending.path.name
        return self._id(job) or job.recording


_ORDER = tuple(STAGES)
