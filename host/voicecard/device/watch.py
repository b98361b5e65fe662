"""Waiting for cards: a port is visited once for every time it appears, and again only where that did not end well."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from typing import NoReturn

from voicecard.device.find import Candidate

LOOK_S = 1.0
RETRY_S = 30.0


def watch(
    look: Callable[[], Iterable[Candidate]],
    visit: Callable[[Candidate], bool],
    on_left: Callable[[Candidate], None],
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> NoReturn:
    """Visit every port that appears, and tell `on_left` when one that was visited is gone; for ever.

    A port has appeared when two looks in a row find it: a board's ports come one by one, and get their permissions last.
    `visit` returns whether it is done; if not it is called again after RETRY_S, as long as the port is there."""
    due_s: dict[Candidate, float] = {}
    before: set[Candidate] = set()
    while True:
        there = set(look())
        for gone in sorted(due_s.keys() - there):
            del due_s[gone]
            on_left(gone)
        due = [candidate for candidate in sorted(there & before) if due_s.get(candidate, 0.0) <= clock()]
        for candidate in due[:1]:  # the next after another look: this may take long
            due_s[candidate] = math.inf if visit(candidate) else clock() + RETRY_S
        before = there
        pause(LOOK_S)
