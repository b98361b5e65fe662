"""The owner's script for an emulated card: words in, power cycles out.

    boot; tap rec; wait 8s; double memo; hold rec 2s; until mic-end; hang mic; break mic zeros; battery 3.4V; plug; unplug; cut

Each `boot` is a power cycle; a script that does not begin with one gets it. A `hold` that comes first in one begins before the
power is on: the key is held while the card is switched on. When the card restarts itself within a power cycle,
the rest of its steps goes on; the microphone's sound starts over."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

from voicecard.errors import UsageError

KEYS = ("rec", "memo")
_UNIT_US = {"ms": 1_000, "s": 1_000_000, "min": 60_000_000}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min)")
_BROKEN_WORDS = {"zeros": 0, "full": 0x7FFFFF00}
_VOLTAGE = re.compile(r"(\d+(?:\.\d+)?)(V|mV)")
_MOST_MILLIVOLTS = 6000
_LONGEST_US = 24 * 3600 * 1_000_000
_FORMS = {
    "boot": "boot",
    "tap": "tap KEY",
    "double": "double KEY",
    "hold": "hold KEY 2s",
    "wait": "wait 3s",
    "until": "until mic-end",
    "hang": "hang mic",
    "break": "break mic zeros",
    "battery": "battery 3.4V",
    "plug": "plug",
    "unplug": "unplug",
    "cut": "cut",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One move: a word of the script, the key it is about, and a number: how long it takes in microseconds (hold, wait), millivolts
    (battery), or the word that comes of a broken microphone."""

    word: str
    key: str = ""
    number: int | None = None

    def as_list(self) -> list[str | int]:
        """The step as the emulator's configuration has it."""
        return [self.word, *([self.key] if self.key else []), *([] if self.number is None else [self.number])]


@dataclass(frozen=True, slots=True)
class PowerCycle:
    """What happens from one power-on to the end of power."""

    steps: tuple[Step, ...]


SERVE = (PowerCycle((Step("serve"),)),)
LIVE = PowerCycle((Step("live"),))


def parse_script(text: str) -> tuple[PowerCycle, ...]:
    """The power cycles that a script describes. Raises UsageError for what has no meaning."""
    cycles: list[list[Step]] = []
    texts = [part.strip() for part in re.split(r"[;\n]", text) if part.strip()]
    if not texts:
        raise UsageError(f"the script is empty: say what happens, e.g. 'boot; tap rec; wait 3s; tap rec'; {_known()}")
    for number, part in enumerate(texts, start=1):
        step = _parse_step(part, number)
        if step.word == "boot":
            cycles.append([])
            continue
        if not cycles:
            cycles.append([])
        _check_order(cycles[-1], step, number)
        cycles[-1].append(step)
    return tuple(PowerCycle(tuple(steps)) for steps in cycles)


def _parse_step(text: str, number: int) -> Step:
    word, *arguments = text.split()
    if word not in _FORMS:
        near = difflib.get_close_matches(word, _FORMS, n=1)
        hint = f" did you mean '{near[0]}'?" if near else ""
        raise UsageError(
            f"step {number} of the script, '{text}', begins with an unknown word '{word}':{hint} {_known()}"
        )
    if word in ("tap", "double") and len(arguments) == 1:
        return Step(word, _key(arguments[0], text, number))
    if word == "hold" and len(arguments) >= 2:
        return Step(word, _key(arguments[0], text, number), _duration_us(" ".join(arguments[1:]), text, number))
    if word == "wait" and arguments:
        return Step(word, number=_duration_us(" ".join(arguments), text, number))
    if word == "until" and arguments == ["mic-end"]:
        return Step("until mic-end")
    if word == "hang" and arguments == ["mic"]:
        return Step("hang mic")
    if word == "break" and len(arguments) == 2 and arguments[0] == "mic" and arguments[1] in _BROKEN_WORDS:
        return Step("break mic", number=_BROKEN_WORDS[arguments[1]])
    if word == "battery" and len(arguments) == 1:
        return Step(word, number=_millivolts(arguments[0], text, number))
    if word in ("boot", "plug", "unplug", "cut") and not arguments:
        return Step(word)
    raise UsageError(f"step {number} of the script, '{text}', is not understood: it is written '{_FORMS[word]}'")


def _key(name: str, text: str, number: int) -> str:
    if name in KEYS:
        return name
    raise UsageError(
        f"step {number} of the script, '{text}', names no key of the card: its keys are {' and '.join(KEYS)}"
    )


def _duration_us(written: str, text: str, number: int) -> int:
    match = _DURATION.fullmatch(written)
    duration_us = round(float(match[1]) * _UNIT_US[match[2]]) if match else 0
    if not 0 < duration_us <= _LONGEST_US:
        raise UsageError(
            f"step {number} of the script, '{text}', needs a time of at most a day like '3s', '200ms' or '2min'"
        )
    return duration_us


def _millivolts(written: str, text: str, number: int) -> int:
    match = _VOLTAGE.fullmatch(written)
    millivolts = round(float(match[1]) * (1000 if match[2] == "V" else 1)) if match else 0
    if not 0 < millivolts <= _MOST_MILLIVOLTS:
        raise UsageError(
            f"step {number} of the script, '{text}', needs a voltage of at most 6 V like '3.4V' or '3400mV'"
        )
    return millivolts


def _check_order(steps: list[Step], step: Step, number: int) -> None:
    words = [earlier.word for earlier in steps]
    if "cut" in words:
        raise UsageError(f"step {number} of the script comes after 'cut', when the card has no power: 'boot' it first")
    cable_moves = [word for word in words if word in ("plug", "unplug")]
    plugged = bool(cable_moves) and cable_moves[-1] == "plug"
    if step.word == "plug" and plugged:
        raise UsageError(f"step {number} of the script plugs the cable in, but it is in already: 'unplug' it first")
    if step.word == "unplug" and not plugged:
        raise UsageError(f"step {number} of the script unplugs the cable, but it is not in: 'plug' it first")


def _known() -> str:
    return "the script knows " + ", ".join(f"'{form}'" for form in _FORMS.values())
