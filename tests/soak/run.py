"""Soaks the link. `faults`: seeded faults between real hosts and emulated cards, beside a fuzzer on both sides; the last line is
`link: runs=N wrong=0 hung=0 lost=0`. `kills`: hosts and cards die in the middle of a sync; the last line is
`kills: hosts=N cards=N wrong=0 hung=0 lost=0`. The exit code is 1 if a promise was broken. `--id ID` replays one run."""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from soak import fuzzer, killer, liar
from soak.bench import running_bench
from soak.faults import DOCUMENTED_ANSWER_S, Plan, plan_of
from soak.pool import Result, Task, Work, Worker, run_all
from soak.visit import Outcome, run

SECTORS = (1, 2, 7)  # of the recordings on each card
WORKERS = 36
KILLERS = 3  # of each kind, at the same time
RUNS, KILLS, FUZZ_S = 2000, 200, 60.0
PROGRESS_EVERY = 250


@dataclass(slots=True)
class Tally:
    """What became of the runs so far. `runs`: by kind. `broken`: a line for each broken promise, with the run's id."""

    runs: Counter[str] = field(default_factory=Counter)
    wrong: int = 0
    hung: int = 0
    lost: int = 0
    broken: list[str] = field(default_factory=list)
    endings: Counter[str] = field(default_factory=Counter)  # of visits that something came between
    fired: Counter[str] = field(default_factory=Counter)  # what came between

    def add(self, result: Result) -> None:
        self.runs[result.id.split("-")[0]] += 1
        outcome = result.value
        if not isinstance(outcome, Outcome):
            self.hung += 1
            self.broken.append(f"{result.id}: hung: {result.trouble}")
            return
        self.wrong += bool(outcome.wrong)
        self.lost += bool(outcome.lost)
        self.broken += [f"{result.id}: {sentence}" for sentence in (*outcome.wrong, *outcome.lost) if sentence]
        self.endings.update(ending.split(":")[0] for ending in outcome.endings)
        self.fired.update(outcome.fired)

    @property
    def kept(self) -> bool:
        """Whether every promise was kept."""
        return bool(self.runs) and not (self.wrong or self.hung or self.lost)

    def __str__(self) -> str:
        if self.runs.keys() & {"host", "card"}:
            about = f"kills: hosts={self.runs['host']} cards={self.runs['card']}"
        else:
            about = f"link: runs={self.runs['link']}"
        return f"{about} wrong={self.wrong} hung={self.hung} lost={self.lost}"


@contextmanager
def at_a_bench(folder: Path) -> Iterator[Work]:
    """A worker with a card: its tasks are ids of plans."""
    with running_bench(folder, SECTORS) as bench:
        yield lambda id: run(bench, plan_of(id), folder / "library")


WORKER: dict[str, Worker] = {
    "link": at_a_bench,
    "noise": fuzzer.card_fuzzer,
    "liar": liar.host_fuzzer,
    "host": killer.host_killer,
    "card": killer.card_killer,
}
BOUND_S = {"noise": fuzzer.BOUND_S, "liar": liar.BOUND_S, "host": killer.BOUND_S, "card": killer.BOUND_S}


def ids(kind: str, seed: str, count: int | None = None) -> Iterator[str]:
    numbers = itertools.count() if count is None else range(count)
    return (f"{kind}-{seed}-{number}" for number in numbers)


def soak_link(seed: str, runs: int, workers: int, fuzz_s: float, tally: Tally) -> None:
    """Faults on the line; and for so long, at the same time, noise to a card and lies to hosts."""
    plans = sorted((plan_of(id) for id in ids("link", seed, runs)), key=_longest_first)
    tasks = iter([_task(plan.id) for plan in plans])
    until = time.monotonic() + fuzz_s
    fuzzers = [(WORKER[kind], _until(until, ids(kind, seed))) for kind in ("noise", "liar") if fuzz_s]
    _follow(run_all([*fuzzers, *[(at_a_bench, tasks)] * min(workers, runs)]), tally)


def soak_kills(seed: str, kills: int, tally: Tally, killers: int = KILLERS) -> None:
    kinds = [(WORKER[kind], iter([_task(id) for id in ids(kind, seed, kills)])) for kind in ("host", "card")]
    _follow(run_all(kinds * killers), tally)


def _task(id: str) -> Task:
    kind = id.split("-")[0]
    return id, BOUND_S[kind] if kind in BOUND_S else plan_of(id).bound_s


def _until(until: float, names: Iterable[str]) -> Iterator[Task]:
    return itertools.takewhile(lambda task: time.monotonic() < until, map(_task, names))


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
    kind = id.split("-")[0]
    if kind == "link":
        plan = plan_of(id)
        print(f"the host waits {plan.answer_s:g} s for an answer; the run may take {plan.bound_s:.0f} s")
        for number, faults in enumerate(plan.visits, start=1):
            for fault in sorted(faults, key=lambda fault: (fault.way, fault.after_frames)):
                print(f"visit {number}: {fault}")
    tally = Tally()
    for result in run_all([(WORKER[kind], iter([_task(id)]))]):
        tally.add(result)
        if isinstance(result.value, Outcome):
            print(*(result.value.log or result.value.endings), sep="\n")
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="?", choices=("faults", "kills"), default="faults")
    parser.add_argument("--id", help="as a broken promise's line has it")
    parser.add_argument("--runs", type=int, help=f"{RUNS} runs with faults, or {KILLS} kills of each kind")
    parser.add_argument("--workers", type=int, default=WORKERS, help="cards at the same time")
    parser.add_argument("--fuzz-s", type=float, default=FUZZ_S, help="so long the fuzzer runs beside the faults")
    parser.add_argument("--seed", default="1")
    options = parser.parse_args()
    tally = Tally()
    if options.id:
        if options.id.split("-")[0] not in WORKER:
            parser.error(f"there is no run {options.id}: an id is a kind ({', '.join(WORKER)}), a seed and a number")
        tally = replay(options.id)
    elif options.what == "kills":
        soak_kills(options.seed, options.runs or KILLS, tally)
    else:
        soak_link(options.seed, options.runs or RUNS, options.workers, options.fuzz_s, tally)
    print("what happened:", ", ".join(f"{what} {count}" for what, count in sorted(tally.fired.items())))
    print("disturbed visits:", ", ".join(f"{ending} {count}" for ending, count in tally.endings.most_common(8)))
    for line in tally.broken:
        print(f"broken {line}")
    print(tally)
    return 0 if tally.kept else 1


if __name__ == "__main__":
    sys.exit(main())
