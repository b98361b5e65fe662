"""Kills in the middle: the host's process, or the card's power, at random instants of a sync. What is left must come to a good end."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random

from soak.bench import Bench, make_image, make_recordings
from soak.kinds import Kind
from soak.pool import Work
from soak.visit import Outcome, at, check_all, check_what_is_there, visit
from voicecard.device.emulate import running_card
from voicecard.errors import DeviceError

SECTORS = (1, 2, 1, 3, 1, 1, 2, 1, 1, 1, 4, 1, 1, 2, 1, 1, 1, 3, 1, 1)  # of twenty recordings
BOUND_S = 60.0
_VISIT_S = 0.7  # about so long is an undisturbed sync; a kill that comes too late is tried again, earlier
_OPERATIONS = 50  # about so many programs and erases a card does from its start to the end of a sync
_TRIES = 6
_PHASES = ("before", "mid", "after")


@contextmanager
def host_killer(kind: Kind, folder: Path) -> Iterator[Work]:
    """A worker whose tasks each kill a host once."""
    recordings = make_recordings(SECTORS)
    make_image(folder / "card.img", recordings)
    ours, theirs = get_context("fork").Pipe()
    launcher = get_context("fork").Process(target=_launch, args=(theirs, ours))  # a process without threads may fork
    launcher.start()
    theirs.close()
    try:
        with running_card(kind.options(folder / "card.img")) as card:
            bench = Bench(card, folder / "card.img", recordings)
            yield lambda id: _kill_a_host(id, bench, folder / "library", ours)
    finally:
        ours.close()
        launcher.join()


def _launch(pipe: Connection, parents: Connection) -> None:
    """Starts a host for each (port, folder, seconds), kills it after so long, and tells whether it was still at work."""
    parents.close()
    while True:
        try:
            port, folder, seconds = pipe.recv()
        except EOFError:
            os._exit(0)
        host = os.fork()
        if not host:
            os._exit(visit(at(port), folder, Outcome("")) != "done")
        time.sleep(seconds)
        os.kill(host, signal.SIGKILL)
        _, status = os.waitpid(host, 0)
        pipe.send(os.WIFSIGNALED(status))


def _kill_a_host(id: str, bench: Bench, library: Path, launcher: Connection) -> Outcome:
    outcome = Outcome(id)
    random = Random(f"kill {id}")
    share = random.random()
    for attempt in range(_TRIES):
        shutil.rmtree(library, ignore_errors=True)
        bench.forget()
        launcher.send((bench.port, library, _VISIT_S * share / 2**attempt))
        if launcher.recv():
            outcome.fired.append("host killed")
            break
    _see_to_the_end(bench, library, outcome)
    return outcome


@contextmanager
def card_killer(kind: Kind, folder: Path) -> Iterator[Work]:
    """A worker whose tasks each take the power from a card once: between two flash operations, or in one."""
    recordings = make_recordings(SECTORS)
    make_image(folder / "new.img", recordings)

    def kill(id: str) -> Outcome:
        outcome = Outcome(id)
        random = Random(f"kill {id}")
        share, phase = random.random(), random.choice((*_PHASES, ""))
        for attempt in range(_TRIES):
            shutil.rmtree(folder / "library", ignore_errors=True)
            shutil.copy(folder / "new.img", folder / "card.img")
            (folder / "card.img.marginal").unlink(missing_ok=True)
            if _kill_a_card(kind, folder, share / 2**attempt, phase, outcome):
                outcome.fired.append(f"card cut {phase or 'at any time'}")
                break
        with running_card(kind.options(folder / "card.img")) as card:
            _see_to_the_end(Bench(card, folder / "card.img", recordings), folder / "library", outcome)
        return outcome

    yield kill


def _kill_a_card(kind: Kind, folder: Path, share: float, phase: str, outcome: Outcome) -> bool:
    """Take its power away in the middle of a visit; whether it was the middle."""
    cut_at = (1 + int(share * _OPERATIONS), phase) if phase else None
    with running_card(kind.options(folder / "card.img", cut_at)) as card:
        try:
            port = str(card.port(60))
        except DeviceError:  # it did not even come up
            return True
        timer = threading.Timer(_VISIT_S * share if not phase else BOUND_S, card.stop)
        timer.start()
        ending = visit(at(port), folder / "library", outcome)
        timer.cancel()
        outcome.endings.append(ending)
        return ending != "done"


def _see_to_the_end(bench: Bench, library: Path, outcome: Outcome) -> None:
    if library.exists():
        check_what_is_there(bench, library, outcome)
    if (ending := visit(at(bench.port), library, outcome)) != "done":
        outcome.wrong += [f"the undisturbed sync: {ending}", *bench.log()]
    check_what_is_there(bench, library, outcome)
    check_all(bench, library, outcome)
