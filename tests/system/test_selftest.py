"""`voicecard selftest`: each line of the report comes from the board, and a board that is not right fails its line."""

from __future__ import annotations

import hashlib
import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from interpreters import ROOT
from voicecard.device.client import CardLink
from voicecard.device.emulate import EmulateOptions, RunningCard, running_card
from voicecard.device.hands import Hands
from voicecard.device.selftest import Line, Owner, flash, selftest, stages

Run = Callable[..., subprocess.CompletedProcess[str]]
TAP_S = 0.15
SMALL = 4 << 20
LOOK_S = 5.0
SCREENS = json.loads((ROOT / "tests" / "screens" / "hashes.json").read_text(encoding="utf-8"))


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@contextmanager
def at_hand(**options: object) -> Iterator[tuple[Fingers, CardLink]]:
    """A card in somebody's hands, plugged in."""
    with Hands() as hands, running_card(EmulateOptions(hands=hands, flash_size_bytes=SMALL, **options)) as card:  # type: ignore[arg-type]
        hands.plug()
        with CardLink.open(str(card.port())) as link:
            yield Fingers(hands, card), link


class Fingers(Owner):
    """An owner who does what the self-test says, and looks at the screen."""

    def __init__(self, hands: Hands, card: RunningCard) -> None:
        super().__init__(self._do, self._look)
        self.hands, self._card = hands, card

    def _look(self, question: str) -> bool:
        deadline = time.monotonic() + LOOK_S
        while time.monotonic() < deadline:
            screens = [notice.pixels for notice in self._card.notices if notice.kind == "screen"]
            if hashlib.sha256(screens[-1]).hexdigest().startswith(SCREENS["test card"]):
                return True
            time.sleep(0.05)
        return False

    def _do(self, what: str) -> None:
        taps = ["rec", "memo"] if "MEMO" in what else ["rec"]
        at_s = 0.5
        for key in taps:
            threading.Timer(at_s, self.hands.press, (key,)).start()
            threading.Timer(at_s + TAP_S, self.hands.release, (key,)).start()
            at_s += 0.5


def by_name(lines: Iterator[Line]) -> dict[str, Line]:
    return {line.name: line for line in lines}


def test_a_good_board_passes_with_its_owner_at_hand(conversation: Path) -> None:
    with at_hand(mic=conversation, realtime=True) as (owner, link):
        lines = by_name(selftest(link, owner, load_s=6))
        (recording,) = link.recordings()
    assert [line for line in lines.values() if line.verdict == "FAIL"] == []
    assert [name for name, line in lines.items() if line.verdict == "not tried"] == ["stages together"]
    assert recording.ended and recording.samples > 5 * 16_000
    assert lines["load sectors written"].value and lines["load samples lost"].value == 0
    assert lines["key rec"].value == 1 and lines["key memo"].value == 1
    assert lines["flash sector erase, longest"].value == pytest.approx(45, abs=10)
    assert lines["flash page program, longest"].value == pytest.approx(0.8, abs=0.4)
    assert lines["microphone offset"].value == pytest.approx(100 * (40 << 16) / (1 << 31), abs=0.2)


def test_what_is_wrong_with_a_board_fails_its_line_and_no_other() -> None:
    with at_hand(worst_case_flash=True, display_height=0, battery_millivolts=2_900) as (owner, link):
        owner.hands.wire_microphone("zeros")
        lines = by_name(selftest(link, None))
    failed = {name for name, line in lines.items() if line.verdict == "FAIL"}
    assert failed == {"microphone dead frames", "microphone noise floor", "flash page program, mean", "battery"}
    assert lines["flash sector erase, longest"].value == pytest.approx(400, abs=10)
    assert lines["display test card"].why == "no display answers"


def test_an_owner_who_does_nothing_and_sees_nothing_is_waited_for_and_told(
    conversation: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for wait in ("_KEYS_S", "_BEGIN_S"):
        monkeypatch.setattr(f"voicecard.device.selftest.{wait}", 0.5)
    with at_hand(mic=conversation) as (_, link):
        lines = by_name(selftest(link, Owner(lambda what: None, lambda question: False)))
        assert link.status()["state"] == "idle"
    assert {name for name, line in lines.items() if line.verdict == "FAIL"} == {
        "display test card",
        "key rec",
        "key memo",
    }
    assert lines["load samples lost"].why == "no recording was begun"


def test_every_limit_can_fail() -> None:
    """The lines that no emulated board breaks."""
    slow = dict.fromkeys(("level_us", "detect_us", "encode_us", "seal_us"), 4_000)
    assert by_name(stages(slow))["stages together"].verdict == "FAIL"
    assert by_name(stages(slow))["stages together"].value == pytest.approx(53.3, abs=0.1)
    wrong = {"sectors": 4, "wrong_pages": 1, "longest_erase_us": 420_001, "longest_program_us": 14_001}
    failed = {name for name, line in by_name(flash(wrong)).items() if line.verdict == "FAIL"}
    assert failed == {"flash pages wrong", "flash sector erase, longest", "flash page program, longest"}


def test_the_report_is_a_table_for_people_and_json_for_a_report(voicecard: Run, conversation: Path) -> None:
    with running_card(EmulateOptions(mic=conversation)) as card:
        port = card.port()
        shown = voicecard("selftest", "--unattended", "--port", port)
        told = voicecard("selftest", "--unattended", "--json", "--port", port)
    assert shown.returncode == told.returncode == 0, shown.stderr
    assert shown.stdout.split("\n")[0].split() == ["LINE", "MEASURED", "LIMIT", "VERDICT"]
    names = [line["name"] for line in json.loads(told.stdout)["lines"]]
    assert len(names) == len(set(names)) == len(shown.stdout.splitlines()) - 1 > 20


def test_a_card_that_records_is_left_alone(voicecard: Run) -> None:
    with running_card(EmulateOptions(script="boot; wait 3s; tap rec; wait 2s; plug")) as card:
        done = voicecard("selftest", "--unattended", "--port", card.port())
    assert done.returncode == 1 and "not while the card is recording" in done.stderr and "Traceback" not in done.stderr


def test_what_only_a_board_can_prove_names_lines_that_there_are(conversation: Path) -> None:
    with at_hand(mic=conversation) as (_, link):
        names = set(by_name(selftest(link, None)))
    names |= {"load sectors written", "load frames damaged"}  # those of an owner who is there
    rows = (ROOT / "hardware" / "UNPROVEN.md").read_text(encoding="utf-8").split("\n")
    named = {name for row in rows if row.startswith("| ") for name in row.split("|")[4].split("`")[1::2]}
    assert named <= names and len(named) >= 20, sorted(named - names)
