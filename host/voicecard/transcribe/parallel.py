"""Call functions in threads that do not keep the program from ending, and have the results in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, wait
from functools import partial
from threading import Thread
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def in_order(call: Callable[[T], R], things: Iterable[T], parallel: int) -> Iterator[R]:
    """Yield `call(thing)` for each, in order; up to `parallel` run in threads, one at a time runs in this one.

    After a failure nothing more is begun; what runs is waited for, then the first failure in order is raised."""
    if parallel < 2:
        yield from map(call, things)
        return
    running: deque[Future[R]] = deque()
    for thing in things:
        running.append(started(partial(call, thing)))
        if len(running) == parallel:
            wait([running[0]])
        if any(future.done() and future.exception() for future in running):
            break
        if len(running) == parallel:
            yield running.popleft().result()
    wait(running)
    for future in running:
        yield future.result()


def started(call: Callable[[], R]) -> Future[R]:
    """Run it in a thread of its own: a daemon, which an executor's threads are not, so that Ctrl-C ends the program at once."""
    future: Future[R] = Future()

    def run() -> None:
        future.set_running_or_notify_cancel()
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    return future
