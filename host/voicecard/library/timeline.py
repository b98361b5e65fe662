"""Spans of a time line in samples, and who may claim which part of it. Every sample is given out once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, TypeVar

T = TypeVar("T")


class Span(NamedTuple):
    """From `start` up to, not including, `end`."""

    start: int
    end: int


def claim(free: list[Span], claims: Iterable[tuple[Span, T]]) -> tuple[list[tuple[Span, T]], list[Span]]:
    """Give each claim what is free of its span, the first come first: (what was given, what stays free).

    `free` is sorted and without overlaps, the claims are sorted by start; so are both results."""
    free = list(free)
    given: list[tuple[Span, T]] = []
    left: list[Span] = []
    at = 0
    for (start, end), claimant in claims:
        while at < len(free) and free[at].end <= start:
            left.append(free[at])
            at += 1
        while at < len(free) and free[at].start < end:
            part = Span(max(free[at].start, start), min(free[at].end, end))
            if free[at].start < part.start:
                left.append(Span(free[at].start, part.start))
            if part.start < part.end:
                given.append((part, claimant))
            if part.end < free[at].end:
                free[at] = Span(part.end, free[at].end)
                break
            at += 1
    return given, left + free[at:]


def total(spans: Iterable[Span]) -> int:
    """Samples in spans that do not overlap."""
    return sum(span.end - span.start for span in spans)
