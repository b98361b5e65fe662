"""All rules against one card, in an order in which each finds what it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from voicecard.device.conformance import answers, framing, listing, proofs, pulling, settings
from voicecard.device.conformance.rule import (
    FAILED,
    NOT_TRIED,
    PASSED,
    BrokenError,
    NotTriedError,
    Outcome,
    Rule,
)
from voicecard.device.conformance.visit import Visit
from voicecard.device.port import Port

_MOST_SAID = 300
RULES: tuple[Rule, ...] = (
    *answers.FIRST,
    *framing.RULES,
    *answers.RULES,
    *settings.RULES,
    *listing.RULES,
    *pulling.RULES,
    *proofs.RULES,
    *answers.OF_THE_WHOLE_VISIT,
    *pulling.UNREAD,
    *answers.LEAVE,
)


def examine(
    port: Port, may_write: bool = False, on_rule: Callable[[Rule], None] = lambda rule: None
) -> Iterator[Outcome]:
    """Hold the card on an open port to each rule. Raises NoCardError if nothing greets there, LinkLostError if it goes away.

    No recording is harmed: nothing is formatted, restarted or removed. With `may_write` one recording is noted as held by a
    library that does not exist, and that is taken back."""
    visit = Visit(port, may_write)
    for rule in RULES:
        on_rule(rule)
        yield _outcome(rule, visit)


def _outcome(rule: Rule, visit: Visit) -> Outcome:
    try:
        return Outcome(rule, PASSED, _printable(rule.check(visit)))
    except NotTriedError as why:
        return Outcome(rule, NOT_TRIED, _printable(str(why)))
    except BrokenError as what:
        visit.recover()
        return Outcome(rule, FAILED, _printable(str(what)))


def _printable(said: str) -> str:
    """What a card says may be anything."""
    return "".join(letter if letter.isprintable() else "?" for letter in said[:_MOST_SAID])
