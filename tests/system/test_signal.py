"""Without a look at the card: what its LED tells through a recording, as sequences of short and long."""

from __future__ import annotations

import itertools
from pathlib import Path

from voicecard.device.client import CardLink
from voicecard.device.emulate import EmulateOptions, running_card

GAP_US = 300_000  # between patterns
LONG_US = 250_000


def told(signals: tuple[tuple[int, int], ...]) -> list[str]:
    """Patterns in order: . for short, - for long, and an apostrophe for the flash that reminds."""
    patterns: list[str] = []
    ended_us = -GAP_US
    for (on_us, level), (off_us, _) in itertools.pairwise(signals):
        if not level:
            continue
        lasted_us = off_us - on_us
        sign = "-" if lasted_us > LONG_US else "." if lasted_us > 75_000 else "'"
        if on_us - ended_us >= GAP_US:
            patterns.append("")
        patterns[-1] += sign
        ended_us = off_us
    return [pattern for pattern in patterns if pattern != "'"]


def test_a_recording_is_told_from_its_beginning_to_its_end(tmp_path: Path, conversation: Path) -> None:
    script = "boot; tap rec; wait 9s; hold rec 1600ms; wait 3s; tap rec; wait 2s; hold memo 2s; wait 2s"
    options = EmulateOptions(mic=conversation, script=script, log_signal=True, seed=3)
    with running_card(options) as card:
        (cycle,) = card.report().cycles
    assert told(cycle.signals) == ["..", "-", "-.", "..", ".", ".."], "idle, recording, paused, idle, memo, idle"


def test_a_missing_display_and_a_silent_microphone_are_told(tmp_path: Path, conversation: Path) -> None:
    script = "boot; wait 2s; tap rec; wait 5s; break mic zeros; wait 4s; tap rec; wait 2s"
    options = EmulateOptions(mic=conversation, script=script, log_signal=True, display_height=0, seed=3)
    with running_card(options) as card:
        (cycle,) = card.report().cycles
    assert told(cycle.signals) == ["--.", "-", ".-.", "--."]


def test_it_can_be_switched_off(tmp_path: Path) -> None:
    flash = tmp_path / "card.img"
    with running_card(EmulateOptions(script="boot; plug", flash=flash, seed=3)) as card:
        with CardLink.open(str(card.port())) as link:
            link.set({"signal": "off"})
        card.report()
    with running_card(EmulateOptions(script="boot; wait 5s", flash=flash, log_signal=True, seed=3)) as card:
        assert card.report().cycles[0].signals == ()
