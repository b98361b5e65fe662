"""What became of the runs of a soak."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from soak.kinds import kind_of
from soak.pool import Result
from soak.visit import Outcome


@dataclass(slots=True)
class Tally:
    """`runs`: by what they try. `cards`: by that and the kind of card. `broken`: a line for each broken promise, with the run's id."""

    runs: Counter[str] = field(default_factory=Counter)
    cards: Counter[str] = field(default_factory=Counter)
    wrong: int = 0
    hung: int = 0
    lost: int = 0
    broken: list[str] = field(default_factory=list)
    endings: Counter[str] = field(default_factory=Counter)  # of visits that something came between
    fired: Counter[str] = field(default_factory=Counter)  # what came between

    def add(self, result: Result) -> None:
        what = result.id.split("-")[0]
        self.runs[what] += 1
        if result.id != what:
            self.cards[what if what == "liar" else f"{what} {kind_of(result.id)}"] += 1
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
