"""What a rule is: a name, the sentence of PROTOCOL.md that it holds a card to, and how that is checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from voicecard.device.conformance.visit import Visit

Check = Callable[["Visit"], str]

PASSED, FAILED, NOT_TRIED = "passed", "failed", "not tried"


class BrokenError(Exception):
    """The card does not keep the rule; the text says what it did."""


class NotTriedError(Exception):
    """The rule cannot be checked on this card as it is now; the text says why."""


@dataclass(frozen=True, slots=True)
class Rule:
    """`check` returns a detail worth telling, or raises BrokenError or NotTriedError."""

    name: str
    sentence: str
    check: Check


@dataclass(frozen=True, slots=True)
class Outcome:
    rule: Rule
    result: str  # passed, failed or not tried
    detail: str


def rule(sentence: str) -> Callable[[Check], Rule]:
    """Make a function a rule; its name, with spaces, is the rule's."""
    return lambda check: Rule(check.__name__.replace("_", " "), sentence, check)


def broken(what: str) -> NoReturn:
    raise BrokenError(what)


def need(kept: bool, otherwise: str) -> None:
    """Raise BrokenError with `otherwise` unless the card did as it should."""
    if not kept:
        raise BrokenError(otherwise)
