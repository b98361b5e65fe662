"""Many workers at once, each a process with a card of its own: what hangs is found by the clock, told where, and killed."""

from __future__ import annotations

import faulthandler
import multiprocessing
import multiprocessing.connection
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from soak.bench import scratch_folder

START_S = 120.0  # for all cards to boot on a machine that is busy
_TELL_S = 2.0  # a process that hangs has so long to say where
_LEAVE_S = 10.0  # one that is done, to leave

Task = tuple[str, float]  # what to do, and the longest that may take, in seconds
Work = Callable[[str], Any]
Worker = Callable[[Path], AbstractContextManager[Work]]
Member = tuple[Worker, Iterator[Task]]


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a task: `value`, or None when it hung or its process ended; `trouble` tells which."""

    id: str
    value: Any = None
    trouble: str = ""


@dataclass(slots=True)
class _Running:
    member: Member
    process: BaseProcess
    pipe: Connection
    task: Task | None = None
    until: float = 0.0


def run_all(crew: Sequence[Member]) -> Iterator[Result]:
    """Results of all tasks as they come. Each member of the crew is a process, in which `worker(folder)` is entered once
    and gives what does one task; members may share the iterator that their tasks come from."""
    with tempfile.TemporaryDirectory(dir=scratch_folder(), prefix="voicecard-soak-") as scratch:
        running = [_start(member, scratch) for member in crew]
        started = list(running)
        try:
            while running:
                for pipe in multiprocessing.connection.wait([one.pipe for one in running], timeout=0.5):
                    one = next(one for one in running if one.pipe is pipe)
                    yield from _hear(one)
                    if not _give(one):
                        running.remove(one)
                for one in [one for one in running if time.monotonic() > one.until]:
                    running.remove(one)
                    running.append(_start(one.member, scratch))
                    started.append(running[-1])
                    yield _end_hung(one)
        finally:
            for one in started:
                one.process.join(0 if one in running else _LEAVE_S)
                one.process.kill()
                one.process.join()


def _start(member: Member, scratch: str) -> _Running:
    context = multiprocessing.get_context("fork")  # what is imported already costs nothing
    ours, theirs = context.Pipe()
    folder = tempfile.mkdtemp(dir=scratch)
    process = context.Process(target=_serve, args=(member[0], folder, theirs, ours))
    process.start()
    theirs.close()
    return _Running(member, process, ours, until=time.monotonic() + START_S)


def _serve(worker: Worker, folder: str, pipe: Connection, parents: Connection) -> None:
    parents.close()
    faulthandler.register(signal.SIGUSR1)
    os.environ["XDG_CACHE_HOME"] = folder
    with worker(Path(folder)) as work:
        pipe.send(None)  # ready
        while (task := pipe.recv()) is not None:
            pipe.send(work(task))


def _hear(one: _Running) -> Iterator[Result]:
    """The result that a worker sends; one that says nothing more has ended."""
    task = one.task
    try:
        value = one.pipe.recv()
    except (EOFError, ConnectionResetError):
        one.process.join()
        yield Result(task[0] if task else "start", trouble=f"its process ended with {one.process.exitcode}")
        one.task, one.until = None, 0.0
        return
    if task:
        yield Result(task[0], value)


def _give(one: _Running) -> bool:
    """Give a worker its next task; False when it has none, or has ended."""
    if not one.process.is_alive():
        return False
    one.task = next(one.member[1], None)
    if one.task is None:
        one.pipe.send(None)
        return False
    one.until = time.monotonic() + one.task[1]
    one.pipe.send(one.task[0])
    return True


def _end_hung(one: _Running) -> Result:
    assert one.process.pid
    os.kill(one.process.pid, signal.SIGUSR1)  # prints where it is
    one.process.join(_TELL_S)
    one.process.kill()
    one.process.join()
    return Result(
        one.task[0] if one.task else "start", trouble=f"no end within {one.task[1] if one.task else START_S:.0f} s"
    )
