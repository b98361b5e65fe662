"""On the battery: a recording ends whole before the power does, the card sleeps when nothing is done, and one press wakes and records."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from interpreters import BITS32, BITS64, Interpreter
from voicecard.device.client import CardLink
from voicecard.device.emulate import EmulateOptions, running_card
from voicecard.device.emulation_report import EmulationReport
from voicecard.library.archive import Library
from voicecard.library.entry import Entry
from voicecard.sync import sync

SMALL = 4 << 20
CLOCK_ERROR = 0.03  # of the emulated chip's slow oscillator


@pytest.fixture(params=[BITS64, BITS32], ids=lambda i: i.name)
def interpreter(request: pytest.FixtureRequest) -> Interpreter:
    request.param.require()
    return request.param


def options(tmp_path: Path, script: str, **more: object) -> EmulateOptions:
    return EmulateOptions(flash=tmp_path / "card.img", flash_size_bytes=SMALL, script=script, seed=3, **more)  # type: ignore[arg-type]


def visit(tmp_path: Path, script: str, **more: object) -> tuple[list[Entry], dict[str, object], EmulationReport]:
    """What one sync at the script's only `plug` brings, and the card's status then."""
    with Library(tmp_path / "library") as library, running_card(options(tmp_path, script, **more)) as card:
        with CardLink.open(str(card.port())) as link:
            status = link.status()
            new = sync(link, library).new
        return new, status, card.report()


def began_us(report: EmulationReport) -> int:
    """When the last start began its recording: its first block is written when the microphone runs."""
    return next(o.time_us for o in report.cycles[-1].flash_log if (o.kind, o.label) == ("program", "recordings"))


def test_a_low_battery_ends_the_recording_whole_and_refuses_the_next(
    tmp_path: Path, conversation: Path, interpreter: Interpreter
) -> None:
    script = "boot; tap rec; wait 5s; battery 3.4V; wait 20s; tap rec; wait 2s; battery 3.9V; wait 6s; plug"
    (entry,), status, _ = visit(tmp_path, script, mic=conversation, interpreter=interpreter.path)
    details = entry.details()
    assert details["end_reason"] == "battery low" and 5 < entry.length_s < 17
    assert details["unknown_s"] == details["lost_s"] == 0
    (event,) = [event for event in details["events"] if event["event"] == "battery"]
    assert event["value"] == 3400 and event["at_s"] == pytest.approx(entry.length_s, abs=0.1)
    assert status["battery_mv"] == 3900 and status["battery_percent"] == 63 and status["on_cable"] is True


def test_a_dip_is_no_empty_battery(tmp_path: Path, conversation: Path) -> None:
    script = "boot; tap rec; wait 5s; battery 3.4V; wait 4s; battery 3.8V; wait 8s; tap rec; plug"
    (entry,), _, _ = visit(tmp_path, script, mic=conversation)
    assert entry.details()["end_reason"] == "key"


def test_a_press_wakes_the_card_and_records_at_once_with_the_time_it_has_kept(
    tmp_path: Path, conversation: Path, interpreter: Interpreter
) -> None:
    script = "boot; plug; unplug; wait 60min; tap rec; wait 5s; tap rec; wait 1s; plug"
    run = options(tmp_path, script, mic=conversation, interpreter=interpreter.path, log_flash=True)
    with Library(tmp_path / "library") as library, running_card(run) as card:
        with CardLink.open(str(card.port())) as link:
            sync(link, library)
            at_first = link.status()
        with CardLink.open(str(card.port())) as link:
            (entry,) = sync(link, library).new
        report = card.report()
    assert [cycle.reason for cycle in report.cycles] == ["sleep", "end"]
    told = entry.recording()
    assert began_us(report) < 1_000_000, "less than a second after the press"
    assert 5 < entry.length_s < 8 and entry.details()["end_reason"] == "key"
    slept_ms = 50 * 60_000
    passed_ms = told.wall_ms - at_first["wall_ms"]
    assert passed_ms == pytest.approx(60 * 60_000 + CLOCK_ERROR * slept_ms, abs=5_000)
    assert abs(passed_ms - 60 * 60_000) < told.wall_uncertainty_ms == pytest.approx(slept_ms / 20, rel=0.05)


@pytest.mark.parametrize("waking", ["tap memo; wait 3s; plug", "plug"])
def test_the_other_key_and_the_cable_wake_it_too_and_record_nothing(
    tmp_path: Path, conversation: Path, waking: str
) -> None:
    new, status, report = visit(tmp_path, f"boot; wait 12min; {waking}", mic=conversation)
    assert new == [] and [cycle.reason for cycle in report.cycles] == ["sleep", "end"]
    assert report.cycles[0].time_us == pytest.approx((12 * 60 + 2) * 1e6, abs=2e6)
    assert status["state"] == "idle" and status["on_cable"] is True


def test_on_the_cable_it_never_sleeps(tmp_path: Path) -> None:
    _, _, report = visit(tmp_path, "boot; plug; wait 30min")
    assert [cycle.reason for cycle in report.cycles] == ["end"]
    assert report.cycles[0].time_us > 30 * 60e6


def test_it_sleeps_as_its_owner_wants_and_sooner_when_the_battery_is_low(tmp_path: Path) -> None:
    run = options(tmp_path, "boot; plug; unplug; wait 40min; plug; unplug; battery 3.4V; wait 5min; tap memo; wait 1s")
    with running_card(run) as card:
        with CardLink.open(str(card.port())) as link:
            link.set({"sleep_after_min": 0})
        with CardLink.open(str(card.port())) as link:
            assert link.status()["battery_mv"] == 4000
        report = card.report()
    assert [cycle.reason for cycle in report.cycles] == ["end"], "0: never, not even then"
    assert report.cycles[0].time_us > 45 * 60e6
    with running_card(options(tmp_path, "boot; plug; unplug; battery 3.4V; wait 5min; tap memo; wait 1s")) as card:
        with CardLink.open(str(card.port())) as link:
            link.set({"sleep_after_min": 30})
        report = card.report()
    assert [cycle.reason for cycle in report.cycles] == ["sleep", "end"]


def test_a_battery_that_cannot_be_is_none(tmp_path: Path) -> None:
    with running_card(options(tmp_path, "boot; battery 5.9V; wait 12min; plug")) as card:
        with CardLink.open(str(card.port())) as link:
            status = link.status()
            assert status["battery_mv"] is None and status["battery_percent"] is None
            assert any("battery: 5900 mV makes no sense" in line for line in link.log())
        assert len(card.report().cycles) == 1, "and without one it does not sleep"


def is_lit(path: Path) -> bool:
    with Image.open(path) as image:
        return len(image.convert("L").getcolors() or ()) > 1


def test_the_screen_is_dark_while_it_sleeps(tmp_path: Path) -> None:
    screens = tmp_path / "screens"
    with running_card(options(tmp_path, "boot; wait 11min; tap memo; wait 1s", screens=screens)) as card:
        report = card.report()
    assert report.cycles[0].reason == "sleep"
    lit = [is_lit(path) for path in report.screens]
    assert lit == [True, False, True, False, True], (
        "at rest, then it says so, then dark; and lit by the key that wakes it"
    )
