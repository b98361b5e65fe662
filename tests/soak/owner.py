"""Requests to erase a card in words that are not quite the right ones; then in the right ones. Only these erase."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from soak.bench import CARD, Bench, running_bench
from soak.fuzzer import check_well, make_noise
from soak.kinds import Kind
from soak.pool import Work
from soak.requests import Fields, hostile_request, wrong_words
from soak.visit import Outcome
from voicecard.device.client import CardLink
from voicecard.errors import DeviceError

BOUND_S = 90.0
_SECTORS = (1, 2, 7)
_BURST_S = 1.0


@contextmanager
def hostile_owner(kind: Kind, folder: Path) -> Iterator[Work]:
    """A worker whose tasks each take a card of their own, which is erased in the end."""

    def own(id: str) -> Outcome:
        outcome = Outcome(id)
        with running_bench(folder, _SECTORS, kind) as bench:
            try:
                _try_to_erase(bench, Random(f"owner {id}"), outcome)
                _erase(bench, Random(f"eraser {id}"), outcome)
            except DeviceError as error:
                outcome.wrong += [str(error), bench.last_words()]
        return outcome

    yield own


def _try_to_erase(bench: Bench, random: Random, outcome: Outcome) -> None:
    """Before and after a restart, which leaves all as it is."""
    for restart in (True, False):
        sent = make_noise(random, bench.port, lambda: _request(random, bench), _BURST_S)
        outcome.endings.append(f"wrong words: {sent} bytes")
        check_well(bench, outcome)
        with CardLink.open(bench.port) as link:
            if link.hello.card != CARD or len(link.recordings()) != len(bench.recordings):
                outcome.lost.append("wrong words have erased the card")
            if restart:
                link.restart()
        if restart:
            bench.follow()


def _request(random: Random, bench: Bench) -> Fields:
    return wrong_words(random, CARD) if random.random() < 0.5 else hostile_request(random, bench.recordings)


def _erase(bench: Bench, random: Random, outcome: Outcome) -> None:
    """The right words erase everything, whatever noise there is meanwhile."""
    with CardLink.open(bench.port) as link:
        link.format()
    make_noise(random, bench.port, lambda: _request(random, bench), _BURST_S)
    until = time.monotonic() + BOUND_S / 2
    with CardLink.open(bench.port) as link:
        while link.status()["state"] == "formatting" and time.monotonic() < until:
            time.sleep(0.05)
        status = link.status()
        if link.greet().card == CARD or status["clean"] != status["sectors"] or link.recordings():
            outcome.wrong.append(f"the right words have not erased the card: {status}")
    outcome.endings.append("erased")
