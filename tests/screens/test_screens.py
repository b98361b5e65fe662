"""The screens look as they were looked at, on both interpreters and on Adafruit's frame buffer, and fit bus and glass."""

from __future__ import annotations

import json
import runpy

import pytest
from cases import CASES
from drawn import by_the_card, by_the_host
from sheet import HASHES, digests

from interpreters import INTERPRETERS, ROOT, Interpreter

LONGEST_US = 4000


@pytest.mark.parametrize("interpreter", INTERPRETERS, ids=lambda i: i.name)
def test_every_screen_looks_as_recorded_and_no_transfer_holds_the_bus_for_long(interpreter: Interpreter) -> None:
    interpreter.require()
    _, drawn = by_the_card(interpreter)
    assert digests(drawn) == json.loads(HASHES.read_text(encoding="utf-8")), "look at `make screens`"
    assert 0 < max(screen.longest_us for screen in drawn) <= LONGEST_US


def test_cpython_and_adafruits_frame_buffer_draw_the_same_pixels() -> None:
    letters, by_card = by_the_card()
    for card, host in zip(by_card, by_the_host(letters), strict=True):
        assert card.pixels == host.pixels, card.name


def test_no_two_screens_look_alike_and_every_text_fits() -> None:
    _, drawn = by_the_card()
    assert len(set(digests(drawn).values())) == len(CASES)
    texts = [text for _, _, _, arguments in CASES for text in _texts(arguments)]
    assert max(map(len, texts)) <= 16


def _texts(value: object) -> list[str]:
    if isinstance(value, tuple):
        return [text for part in value for text in _texts(part)]
    return [value] if isinstance(value, str) else []


def test_the_digits_are_those_that_are_drawn() -> None:
    make = runpy.run_path(str(ROOT / "firmware" / "fonts" / "make.py"))
    for size in make["SIZES"]:
        kept = (ROOT / "firmware" / "card" / "ui" / f"digits_{size}.py").read_text(encoding="utf-8")
        assert make["module"](size) == kept, "run `make docs`"
