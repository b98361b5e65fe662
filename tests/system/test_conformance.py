"""The conformance command: our card keeps every rule of the protocol, and a card that breaks one is found to break just that."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer
from test_many import write_recording
from wrong_cards import WRONG_CARDS, AnyProof, Echo, HoardingCard, Wrong, WrongCard, WrongSequence

from interpreters import ROOT
from voicecard.cli.conformance import conformance
from voicecard.device.client import CardLink, Listed
from voicecard.device.conformance import framing, pulling, run
from voicecard.device.conformance.rule import FAILED, NOT_TRIED, PASSED, Outcome
from voicecard.device.conformance.run import RULES, examine
from voicecard.device.emulate import EmulateOptions, running_card
from voicecard.device.image import build_flash_image
from voicecard.device.partitions import partitions
from voicecard.device.port import Port
from voicecard.errors import NoCardError
from voicecard.firmware.wire import frame, sector

Run = Callable[..., subprocess.CompletedProcess[str]]
SMALL = 4 << 20
BUS_BYTES_PER_S = 2_000_000  # slow enough for a busy computer to stop a pull before its end
TWO_RECORDINGS = "boot; tap rec; wait 3s; tap rec; wait 1s; tap rec; wait 20s; tap rec; wait 1s"


def named(outcomes: list[Outcome], result: str) -> set[str]:
    return {outcome.rule.name for outcome in outcomes if outcome.result == result}


def test_every_rule_quotes_the_specification() -> None:
    text = " ".join((ROOT / "firmware" / "PROTOCOL.md").read_text(encoding="utf-8").split())
    assert [rule.name for rule in RULES if rule.sentence not in text] == []
    assert len({rule.name for rule in RULES}) == len(RULES)


def test_the_card_keeps_every_rule_and_its_recordings(voicecard: Run, conversation: Path) -> None:
    options = EmulateOptions(
        mic=conversation,
        flash_size_bytes=SMALL,
        script=TWO_RECORDINGS + "; plug; unplug; plug; unplug; plug",
        usb_bytes_per_s=BUS_BYTES_PER_S,
        seed=1,
    )
    with running_card(options) as card:
        before = contents(str(card.port()))
        done = voicecard("conformance", "--port", card.port(), "--write", "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        assert contents(str(card.port())) == before
    told = json.loads(done.stdout)
    assert {one["rule"] for one in told} == {rule.name for rule in RULES}
    assert {one["rule"] for one in told if one["outcome"] != PASSED} == {"open recordings"}


def contents(port: str) -> list[tuple[Listed, bytes, dict[str, Any]]]:
    """All that a host sees of the recordings, and the settings."""
    with CardLink.open(port) as link:
        settings = link.settings()
        return [(listed, b"".join(link.pull(listed, 0)), settings) for listed in link.recordings()]


def test_the_card_keeps_every_rule_on_the_other_carrier_and_while_it_records(conversation: Path) -> None:
    script = "boot; tap rec; wait 3s; tap rec; wait 1s; tap rec; wait 9s; plug"
    options = EmulateOptions(mic=conversation, flash_size_bytes=SMALL, script=script, carrier="stdio", seed=1)
    with running_card(options) as card, Port(str(card.port())) as port:
        outcomes = list(examine(port))
    assert named(outcomes, FAILED) == set(), outcomes
    idle_alone = {"refused settings", "accepted settings", "image", "generation"}
    assert named(outcomes, NOT_TRIED) == idle_alone | {"ending a pull", "proof and revocation"}


def test_a_list_of_several_pages_and_an_empty_one(tmp_path: Path) -> None:
    for number_of_recordings in (70, 0):
        path = tmp_path / f"{number_of_recordings}.img"
        build_flash_image(path, SMALL, card_name="k3f92b", seed=1)
        flash = bytearray(path.read_bytes())
        for number in range(1, number_of_recordings + 1):
            at = partitions(path)["recordings"].offset + (number - 1) * sector.SECTOR_BYTES
            write_recording(flash, at, number)
        path.write_bytes(flash)
        options = EmulateOptions(flash=path, script="boot; plug")
        with running_card(options) as card, Port(str(card.port())) as port:
            outcomes = list(examine(port))
        assert named(outcomes, FAILED) == set(), outcomes
        assert ("pulling" in named(outcomes, PASSED)) == bool(number_of_recordings)
        (pages,) = [outcome for outcome in outcomes if outcome.rule.name == "listing pages"]
        assert ("several pages" in pages.detail) == bool(number_of_recordings)


@dataclass(frozen=True)
class Honest:
    port: Port
    listed: list[Listed]
    settings: dict[str, Any]
    digest: str  # of the shortest


@pytest.fixture(scope="module")
def honest(conversation: Path) -> Iterator[Honest]:
    options = EmulateOptions(
        mic=conversation,
        flash_size_bytes=SMALL,
        script=TWO_RECORDINGS + "; plug; unplug; plug",
        usb_bytes_per_s=BUS_BYTES_PER_S,
        seed=1,
    )
    with running_card(options) as card:
        with CardLink.open(str(card.port())) as link:
            listed, settings = link.recordings(), link.settings()
            digest = hashlib.sha256(b"".join(link.pull(listed[0], 0))).hexdigest()
        with Port(str(card.port())) as port:
            yield Honest(port, listed, settings, digest)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pseudo-terminal loses nothing, and these cards are not examined for what they do when nobody reads."""
    monkeypatch.setattr(framing, "_ARRIVAL_S", 0.0)
    monkeypatch.setattr(run, "RULES", tuple(rule for rule in RULES if rule not in pulling.UNREAD))


@pytest.mark.parametrize("name", WRONG_CARDS)
def test_a_wrong_card_breaks_just_the_rules_it_is_wrong_about(name: str, honest: Honest, hurried: None) -> None:
    wrong = WRONG_CARDS[name]()
    outcomes = list(examine(WrongCard(honest.port, wrong)))
    assert named(outcomes, FAILED) == wrong.breaks, [o for o in outcomes if o.result == FAILED]
    assert all(outcome.detail for outcome in outcomes if outcome.result != PASSED)
    assert CardLink(honest.port).settings() == honest.settings


def test_what_a_wrong_card_takes_for_a_proof_is_taken_back(honest: Honest, hurried: None) -> None:
    wrong = AnyProof(honest.listed[0], honest.digest)
    outcomes = list(examine(WrongCard(honest.port, wrong)))
    assert named(outcomes, FAILED) == wrong.breaks, [o for o in outcomes if o.result == FAILED]
    assert "'safe': True" in next(outcome.detail for outcome in outcomes if outcome.result == FAILED)
    assert CardLink(honest.port).recordings() == honest.listed


def test_the_table_tells_what_a_wrong_card_does(
    honest: Honest, hurried: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("voicecard.device.port.Port", lambda path: WrongCard(honest.port, WrongSequence()))
    with pytest.raises(typer.Exit) as left:
        conformance("/dev/wrong")
    printed = capsys.readouterr()
    assert left.value.exit_code == 1
    assert re.search(
        r"^sequence numbers +failed +a request with the number 0 is answered with the number 1$", printed.out, re.M
    )
    assert f"{len(RULES) - 1} rules: {len(RULES) - 4} passed, 1 failed, 2 not tried" in printed.err


def test_a_card_that_sends_on_to_nobody_is_found_out(honest: Honest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framing, "_ARRIVAL_S", 0.0)
    outcomes = list(examine(HoardingCard(honest.port, Wrong())))
    assert named(outcomes, FAILED) == {"ending a pull", "a host that does not read"}, outcomes


def test_what_is_no_card_is_only_greeted() -> None:
    echo = Echo()
    with pytest.raises(NoCardError, match="does not answer as a voicecard"):
        next(examine(echo))
    asked = [bytes(payload) for _, _, payload in frame.FrameReader(frame.MAX_TO_CARD_BYTES).feed(echo.heard)]
    assert len(asked) == 3 and all(b'"hello"' in one for one in asked)
