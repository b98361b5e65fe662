"""The table of gestures: whole, and what the README says."""

from __future__ import annotations

import inspect
import re

import pytest

from interpreters import ROOT
from voicecard.firmware.card import gestures

STATES = [gestures.IDLE, gestures.TRANSFERRING, gestures.STORAGE_LOW, gestures.STORAGE_FULL, gestures.BATTERY_LOW]
STATES += [gestures.FAULT, gestures.BUSY, gestures.RECORDING, gestures.PAUSED, gestures.WITHHELD, gestures.MEMO]
STATES += [gestures.SAFE_MODE]


@pytest.mark.parametrize("state", STATES)
def test_every_gesture_is_defined_in_every_state_as_the_readme_says(state: str) -> None:
    text = (ROOT / "firmware" / "README.md").read_text(encoding="utf-8")
    row = re.search(rf"^\| \**{state}\** \| (.*) \|$", text, re.M)
    assert row, f"the README's table has no row {state!r}"
    told = [cell.strip() for cell in row[1].split("|")]
    done = [gestures.action(state, *gesture.split()) for gesture in gestures.GESTURES]
    assert told == [(name or "-").replace("_", " ") for name in done]


def test_the_application_does_every_action() -> None:
    source = (ROOT / "firmware" / "card" / "app.py").read_text(encoding="utf-8")
    names = {value for name, value in inspect.getmembers(gestures) if name.isupper() and isinstance(value, str)}
    actions = names - set(STATES) - {gestures.RESTART}
    assert actions == set(re.findall(r"async def _do_(\w+)\(", source))
