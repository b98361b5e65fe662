"""The doctor's sentences follow the figures: what is fine is told as fine, what is not says what to do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from voicecard.device.client import Listed
from voicecard.device.doctor import Finding, examine

STATUS = {"state": "idle", "sectors": 3456, "clean": 3000, "set_aside": 0, "seconds_left": 1500, "recordings": 1}
COUNTERS: dict[str, Any] = {
    **{"boots": {"power": 3, "watchdog": 0}, "failed_starts": 0, "lost_samples": 0, "longest_stall_us": 9000},
    **{"erases": 10, "cut_recordings": 0, "link_errors": 0, "lowest_battery_mv": 3900},
}
HELD = Listed(1, "0" * 16, 1, 480, 1, ended=True, safe=True, mine=False, copies=1, reason=1)


def ask(
    status: dict[str, Any] | None = None, counters: dict[str, Any] | None = None, *recordings: Listed
) -> list[Finding]:
    return examine({**STATUS, **(status or {})}, {**COUNTERS, **(counters or {})}, recordings or [HELD], ["it broke"])


def test_a_card_in_good_health_is_told_so() -> None:
    assert {finding.level for finding in ask()} == {"fine"}


@pytest.mark.parametrize(
    ("status", "counters", "level", "words"),
    [
        ({"state": "safe mode"}, {}, "act", "three starts in a row failed"),
        ({"state": "safe mode"}, {}, "look", "it broke"),
        ({"state": "fault", "seconds_left": 0}, {}, "act", "not prepared"),
        ({"state": "formatting", "formatted": 7}, {}, "look", "7 sectors are done"),
        ({"seconds_left": 0}, {}, "act", "full"),
        ({"seconds_left": 200}, {}, "act", "3 more minutes"),
        ({"seconds_left": 800}, {}, "look", "sync soon"),
        ({"set_aside": 2}, {}, "look", "make no sense"),
        ({}, {"lost_samples": 8000}, "look", "0.50 s of sound were lost"),
        ({}, {"longest_stall_us": 20_000}, "look", "20 ms"),
        ({}, {"boots": {"power": 1, "watchdog": 2}}, "look", "2 times: capture stood still"),
        ({}, {"failed_starts": 1}, "look", "safe mode"),
        ({}, {"cut_recordings": 4}, "look", "power cut"),
        ({}, {"link_errors": 9}, "look", "another cable"),
        ({}, {"lowest_battery_mv": 3500}, "look", "3.50 V"),
        ({}, {"lowest_battery_mv": 3300}, "act", "3.30 V"),
    ],
)
def test_each_figure_out_of_order_gets_its_sentence(
    status: dict[str, Any], counters: dict[str, Any], level: str, words: str
) -> None:
    told = [finding for finding in ask(status, counters) if finding not in ask()]
    assert any(finding.level == level and words in finding.sentence for finding in told), told


def test_recordings_that_too_few_libraries_hold() -> None:
    alone, once = replace(HELD, safe=False, copies=0), replace(HELD, safe=False)
    running = replace(alone, ended=False)
    levels = {finding.level: finding.sentence for finding in ask({}, {}, HELD, alone, once, running)}
    assert "in no library: 1 of 3" in levels["act"]
    assert "`copies` asks for: 1 of 3" in levels["look"]


def test_answers_of_an_older_or_newer_card_do_no_harm() -> None:
    assert examine({"state": "dreaming"}, {"boots": 7, "lowest_battery_mv": "full"}, []) != []
