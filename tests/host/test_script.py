"""The owner's script: what its words mean, and what is said about those that mean nothing."""

from __future__ import annotations

import pytest

from voicecard.device.script import PowerCycle, Step, parse_script
from voicecard.errors import UsageError


def test_each_boot_is_a_power_cycle() -> None:
    cycles = parse_script(
        "boot; tap rec; wait 8s; double memo; hold rec 2s; cut; boot; until mic-end; hang mic; plug; unplug; plug;"
    )
    assert cycles == (
        PowerCycle(
            (
                Step("tap", "rec"),
                Step("wait", number=8_000_000),
                Step("double", "memo"),
                Step("hold", "rec", 2_000_000),
                Step("cut"),
            )
        ),
        PowerCycle((Step("until mic-end"), Step("hang mic"), Step("plug"), Step("unplug"), Step("plug"))),
    )


def test_the_first_boot_goes_without_saying() -> None:
    assert parse_script("tap rec\nplug") == parse_script("boot; tap rec; plug")


@pytest.mark.parametrize(
    ("written", "us"), [("300ms", 300_000), ("1.5s", 1_500_000), ("2 min", 120_000_000), ("0.25ms", 250)]
)
def test_times(written: str, us: int) -> None:
    assert parse_script(f"wait {written}") == (PowerCycle((Step("wait", number=us),)),)


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("boot; tapp rec", "step 2 .*'tapp'.* did you mean 'tap'.*'until mic-end'"),
        ("boot; dance", "unknown word 'dance'.*'hold KEY 2s'"),
        ("tap play", "'tap play'.* rec and memo"),
        ("tap", "written 'tap KEY'"),
        ("hold rec", "written 'hold KEY 2s'"),
        ("until tomorrow", "written 'until mic-end'"),
        ("hang rec", "written 'hang mic'"),
        ("plug in", "written 'plug'"),
        ("wait long", "'wait long'.* like '3s'"),
        ("wait 0s", "'wait 0s'.* like '3s'"),
        ("wait 25000min", "at most a day"),
        ("cut; tap rec", "step 2 .*after 'cut'"),
        ("plug; plug", "in already"),
        ("unplug", "not in"),
        ("plug; boot; unplug", "not in"),
        ("  ; ", "empty"),
    ],
)
def test_what_has_no_meaning_is_refused_in_one_sentence(script: str, says: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        parse_script(script)
    assert "\n" not in str(caught.value)
