"""The link's host side against cards that are older, confused or gone: one clear sentence, and no endless wait."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from itertools import chain, repeat
from typing import Any, cast

import pytest

from voicecard.device import conversation
from voicecard.device.client import CardLink
from voicecard.device.port import Port
from voicecard.errors import LinkLostError, NoCardError, RefusedError
from voicecard.firmware.wire import frame, message

HELLO = {"card": "k3f92b", "fw": "0.0.1", "boot": 1, "ticks_us": 5}


class FakePort:
    """A card that answers each request with what `talk` makes of it; nothing for None."""

    path = "/dev/fake"

    def __init__(
        self, talk: Callable[[dict[str, Any]], dict[str, Any] | None], greetings: Iterable[dict[str, Any]] = ()
    ) -> None:
        self._talk = talk
        self._greetings = chain(greetings, repeat(HELLO))
        self._reader = frame.FrameReader(frame.MAX_TO_CARD_BYTES)
        self._answers: list[bytes] = []

    def write(self, data: bytes) -> None:
        for _, sequence, payload in self._reader.feed(data):
            request = message.read_json(payload)
            answer = next(self._greetings) if request["do"] == "hello" else self._talk(request)
            if answer is not None:
                writer = frame.FrameWriter(frame.MAX_TO_HOST_BYTES)
                self._answers.append(bytes(writer.frame(message.ANSWER, sequence, message.pack_json(answer))))

    def read(self, deadline: float) -> bytes:
        return self._answers.pop(0) if self._answers else b""


def link(talk: Callable[[dict[str, Any]], dict[str, Any] | None]) -> CardLink:
    return CardLink(cast(Port, FakePort(talk)))


@pytest.mark.parametrize("stale", [{"stopped": True}, {**HELLO, "card": "\x1b[2J"}, {**HELLO, "boot": "1"}])
def test_an_answer_to_an_earlier_program_is_no_greeting(stale: dict[str, Any]) -> None:
    def greeted(greetings: Iterable[dict[str, Any]]) -> CardLink:
        return CardLink(cast(Port, FakePort(lambda request: None, greetings)))

    assert greeted([stale, stale]).hello.card == "k3f92b"
    with pytest.raises(NoCardError, match="greets in another way"):
        greeted([stale] * conversation.TRIES)


@pytest.mark.parametrize("ask", [CardLink.settings, CardLink.counters, CardLink.image_sectors, CardLink.format])
def test_a_card_too_old_for_a_request_is_told_to_be_so(ask: Callable[[CardLink], object]) -> None:
    old = link(lambda request: {"error": "unknown", "say": "this card does not know that request"})
    with pytest.raises(RefusedError, match="older than this program") as refusal:
        ask(old)
    assert refusal.value.code == message.UNKNOWN


@pytest.mark.parametrize(
    ("ask", "answer"),
    [
        (CardLink.settings, {"settings": {"gain_db": 3}}),
        (CardLink.settings, {"settings": {"gain_db": {"value": 3, "default": 3, "allowed": {"from": 1}}}}),
        (CardLink.image_sectors, {"sectors": 1 << 40}),
        (CardLink.image_sectors, {}),
        (lambda card: card.set({"gain_db": 3}), {}),
    ],
)
def test_an_answer_that_makes_no_sense_is_a_sentence(ask: Callable[[CardLink], object], answer: dict[str, Any]) -> None:
    with pytest.raises(LinkLostError, match="in an unknown way"):
        ask(link(lambda request: answer))


def test_a_ledger_that_promises_more_than_it_gives_ends() -> None:
    lines = [{"n": 1}, {"n": 2}]
    card = link(lambda request: {"total": 9, "lines": lines[request["from"] :]})
    assert card.removals() == lines


def test_sectors_that_never_come_end_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def talk(request: dict[str, Any]) -> dict[str, Any]:
        asked.extend([request["from"]] if request["do"] == "image" else [])
        return {"sectors": 4, "stopped": True}

    monkeypatch.setattr(conversation, "ANSWER_S", 0.01)
    with pytest.raises(LinkLostError, match=re.escape("sector 0 does not arrive")):
        list(link(talk).image(0, 4))
    assert asked == [0] * conversation.TRIES


@pytest.mark.parametrize(
    "answer",
    [
        {"total": "1", "mpy": 6, "files": [], "lines": []},
        {"total": 1, "mpy": 6, "files": 3, "lines": 3},
        {"total": 2, "mpy": 6, "files": ["no object"], "lines": ["no object"]},
    ],
)
@pytest.mark.parametrize("ask", [CardLink.application, CardLink.removals])
def test_a_list_in_pieces_that_is_none_is_not_understood(
    ask: Callable[[CardLink], object], answer: dict[str, Any]
) -> None:
    with pytest.raises(LinkLostError, match="in an unknown way"):
        ask(link(lambda request: answer))


def test_files_without_the_interpreters_version_are_not_understood() -> None:
    with pytest.raises(LinkLostError, match="in an unknown way"):
        link(lambda request: {"total": 0, "files": [], "mpy": "6"}).application()
