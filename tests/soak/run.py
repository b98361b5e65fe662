"""Soaks the link. `faults`: seeded faults between real hosts and emulated cards, beside a fuzzer on both sides; the last line is
`link: runs=N wrong=0 hung=0 lost=0`. `kills`: hosts and cards die in the middle of a sync; the last line is
`kills: hosts=N cards=N wrong=0 hung=0 lost=0`. The exit code is 1 if a promise was broken. `--id ID` replays one run."""

from __future__ import annotations

import argparse
import itertools
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

from soak import fuzzer, killer, liar, owner
from soak.bench import running_bench
from soak.faults import DOCUMENTED_ANSWER_S, Plan, plan_of
from soak.kinds import STDIO_32, USB, USB_32, Kind, in_turn, is_there, kind_of, or_another
from soak.pool import Member, Result, Task, Work, Worker, run_all
from soak.tally import Tally
from soak.visit import Outcome, run

SECTORS = (1, 2, 15)  # of the recordings on each card; the last is more than the line itself takes
WORKERS = 36
KILLERS = 4  # of hosts, and of cards, at the same time
RUNS, KILLS, FUZZ_S = 2000, 200, 60.0
PROGRESS_EVERY = 250


@contextmanager
def at_a_bench(kind: Kind, folder: Path) -> Iterator[Work]:
    """A worker with a card: its tasks are ids of plans."""
    with running_bench(folder, SECTORS, kind) as bench:
        yield lambda id: run(bench, plan_of(id), folder / "library")


WORKER: dict[str, Callable[[Kind, Path], AbstractContextManager[Work]]] = {
    "link": at_a_bench,
    "noise": fuzzer.card_fuzzer,
    "owner": owner.hostile_owner,
    "liar": lambda _, folder: liar.host_fuzzer(folder),
    "host": killer.host_killer,
    "card": killer.card_killer,
}
FUZZERS = (("noise", USB), ("noise", STDIO_32), ("owner", USB_32), ("liar", USB))
BOUND_S = {
    "noise": fuzzer.BOUND_S,
    "owner": owner.BOUND_S,
    "liar": liar.BOUND_S,
    "host": killer.BOUND_S,
    "card": killer.BOUND_S,
}


def ids(what: str, seed: str, count: int | None = None) -> Iterator[str]:
    numbers = itertools.count() if count is None else range(count)
    return (f"{what}-{seed}-{number}" for number in numbers)


def soak_link(seed: str, runs: int, workers: int, fuzz_s: float, tally: Tally) -> None:
    """Faults on the line; and for so long, at the same time, noise to cards and lies to hosts."""
    plans = sorted((plan_of(id) for id in ids("link", seed, runs)), key=_longest_first)
    fuzzers = [_fuzzer(what, or_another(kind), seed, fuzz_s) for what, kind in FUZZERS if fuzz_s]
    _follow(run_all([*fuzzers, *_crew("link", [plan.id for plan in plans], workers)]), tally)


def soak_kills(seed: str, kills: int, tally: Tally, killers: int = KILLERS) -> None:
    _follow(
        run_all([m for what in ("host", "card") for m in _crew(what, list(ids(what, seed, kills)), killers)]), tally
    )


def _crew(what: str, names: list[str], workers: int) -> Iterator[Member]:
    """About so many workers, each with a card of a kind; those with the same kind share the runs that take it."""
    for kind, turns in Counter(in_turn()).items():
        tasks = [_task(id) for id in names if kind_of(id) == kind]
        yield from [(_worker(what, kind), iter(tasks))] * min(len(tasks), max(1, workers * turns // len(in_turn())))


def _fuzzer(what: str, kind: Kind, seed: str, seconds: float) -> Member:
    until = time.monotonic() + seconds
    tasks = (_task(id) for id in ids(what, seed) if what == "liar" or kind_of(id) == kind)
    return _worker(what, kind), itertools.takewhile(lambda task: time.monotonic() < until, tasks)


def _worker(what: str, kind: Kind) -> Worker:
    return partial(WORKER[what], kind)


def _task(id: str) -> Task:
    what = id.split("-")[0]
    return id, BOUND_S[what] if what in BOUND_S else plan_of(id).bound_s


def _longest_first(plan: Plan) -> tuple[bool, float]:
    return plan.answer_s < DOCUMENTED_ANSWER_S, -plan.bound_s


def _follow(results: Iterator[Result], tally: Tally) -> None:
    """Count results, and tell on standard output."""
    started = time.monotonic()
    for result in results:
        broken = len(tally.broken)
        tally.add(result)
        for line in tally.broken[broken:]:
            print(f"broken {line}", flush=True)
        if tally.runs.total() % PROGRESS_EVERY == 0:
            print(f"{tally.runs.total()} runs in {time.monotonic() - started:.0f} s", flush=True)


def replay(id: str) -> Tally:
    """Run one again and tell everything about it."""
    what, kind = id.split("-")[0], kind_of(id)
    print(f"a card of the kind {kind}")
    if what == "link":
        plan = plan_of(id)
        print(f"the host waits {plan.answer_s:g} s for an answer; the run may take {plan.bound_s:.0f} s")
        for number, faults in enumerate(plan.visits, start=1):
            for fault in sorted(faults, key=lambda fault: (fault.way, fault.after_frames)):
                print(f"visit {number}: {fault}")
    tally = Tally()
    for result in run_all([(_worker(what, kind), iter([_task(id)]))]):
        tally.add(result)
        if isinstance(result.value, Outcome):
            print(*(result.value.log or result.value.endings), sep="\n")
    return tally


def _listed(counts: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{what} {count}" for what, count in counts)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="?", choices=("faults", "kills"), default="faults")
    parser.add_argument("--id", help="as a broken promise's line has it")
    parser.add_argument("--runs", type=int, help=f"{RUNS} runs with faults, or {KILLS} kills of each kind")
    parser.add_argument("--workers", type=int, default=WORKERS, help="cards at the same time")
    parser.add_argument("--fuzz-s", type=float, default=FUZZ_S, help="so long the fuzzers run beside the faults")
    parser.add_argument("--seed", default="1")
    options = parser.parse_args()
    if not is_there(USB_32):
        print("no 32-bit MicroPython: 64-bit cards take its part; `make micropython32` fetches it")
    tally = Tally()
    if options.id:
        if not re.fullmatch(f"({'|'.join(WORKER)})-.*-[0-9]+", options.id):
            parser.error(f"there is no run {options.id}: an id is one of {', '.join(WORKER)}, a seed and a number")
        tally = replay(options.id)
    elif options.what == "kills":
        soak_kills(options.seed, options.runs or KILLS, tally)
    else:
        soak_link(options.seed, options.runs or RUNS, options.workers, options.fuzz_s, tally)
    print("runs by card:", _listed(sorted(tally.cards.items())))
    print("what happened:", _listed(sorted(tally.fired.items())))
    print("disturbed visits:", _listed(tally.endings.most_common(8)))
    for line in tally.broken:
        print(f"broken {line}")
    print(tally)
    return 0 if tally.kept else 1


if __name__ == "__main__":
    sys.exit(main())
