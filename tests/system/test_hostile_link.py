"""A hostile line, lying cards and kills, in a short seeded form of `make soak`: what arrives is whole, or there is one clear error."""

from __future__ import annotations

import os
import pty
import threading
import time
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from soak import liar, run
from soak.bench import Recording, make_recordings
from soak.faults import FOREVER_S, TO_CARD, TO_HOST, Fault, transformed
from soak.model import Frame, ModelCard, ModelPort
from soak.visit import Outcome, check_all, check_what_is_there
from voicecard.device import client, conversation
from voicecard.device.client import CardLink
from voicecard.device.emulate import EmulateOptions, running_card
from voicecard.errors import DeviceError, VoicecardError
from voicecard.firmware.wire import frame, message
from voicecard.library.archive import Library
from voicecard.sync import sync

KINDS = (
    "flip",
    "drop",
    "duplicate",
    "truncate",
    "reorder",
    "noise",
    "trickle",
    "stall",
    "freeze",
    "hang up",
    "overflow",
)
PHASES = (Phase.explicit, Phase.generate)  # a sync is too slow for finding the smallest example
OFTEN = settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def faults(kinds: tuple[str, ...] = KINDS) -> st.SearchStrategy[Fault]:
    return st.builds(
        Fault,
        kind=st.sampled_from(kinds),
        way=st.sampled_from((TO_CARD, TO_HOST)),
        after_frames=st.integers(0, 60),
        after_bytes=st.integers(0, 4200),
        size=st.integers(1, 5000),
        pause_s=st.sampled_from((0.2, 5.0, FOREVER_S)),
        seed=st.integers(0, 1 << 32),
    )


def test_real_cards_and_hosts_on_a_hostile_line_among_noise_and_liars() -> None:
    tally = run.Tally()
    run.soak_link("short", runs=24, workers=6, fuzz_s=4.0, tally=tally)
    assert tally.kept, [str(tally), *tally.broken]
    assert str(tally) == "link: runs=24 wrong=0 hung=0 lost=0"
    assert len(tally.fired) > 10, "the faults happen"
    assert tally.runs["noise"] and tally.runs["liar"] > 3


def test_hosts_and_cards_that_die_in_the_middle() -> None:
    tally = run.Tally()
    run.soak_kills("short", 2, tally, killers=1)
    assert tally.kept, [str(tally), *tally.broken]
    assert tally.fired["host killed"] == 2 and sum(tally.fired.values()) == 4


@settings(OFTEN, phases=PHASES)
@given(planned=st.lists(faults(), max_size=12), chunk_bytes=st.sampled_from((50, 700, 4096)))
def test_whatever_a_line_does_nothing_wrong_is_filed_or_proved(
    tmp_path_factory: pytest.TempPathFactory, planned: list[Fault], chunk_bytes: int
) -> None:
    folder, outcome = tmp_path_factory.mktemp("library"), Outcome("hypothesis")
    card = ModelCard(make_recordings((1, 2)))
    for line in (ModelPort(card, planned, chunk_bytes), ModelPort(card)):
        try:
            with Library(folder) as library, CardLink(line) as link:
                sync(link, library)
        except VoicecardError as error:
            assert planned and str(error) and "\n" not in str(error)
        check_what_is_there(card, folder, outcome)
    check_all(card, folder, outcome)
    assert not outcome.wrong and not outcome.lost


@OFTEN
@given(
    payloads=st.lists(st.binary(max_size=4000), min_size=1, max_size=4),
    fault=faults(("flip", "drop", "duplicate", "truncate", "reorder", "noise")),
    window=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    chunk_bytes=st.integers(1, 5000),
)
def test_no_damaged_frame_passes_and_the_next_good_one_is_heard(
    payloads: list[bytes], fault: Fault, window: tuple[float, float], chunk_bytes: int
) -> None:
    writer, reader = frame.FrameWriter(frame.MAX_TO_HOST_BYTES), frame.FrameReader(frame.MAX_TO_HOST_BYTES)
    sent = {(message.SECTOR, number, payload) for number, payload in enumerate(payloads)}
    wire = b"".join(bytes(writer.frame(*one)) for one in sorted(sent))
    start, end = sorted(int(share * len(wire)) for share in window)
    if start < end:
        wire = wire[:start] + b"".join(transformed(fault, wire[start:end])) + wire[end:]
    good = message.ANSWER, 99, b"good"
    wire += bytes(writer.frame(*good))
    heard = []
    for at in range(0, len(wire), chunk_bytes):
        heard += [(kind, number, bytes(payload)) for kind, number, payload in reader.feed(wire[at : at + chunk_bytes])]
    assert heard[-1] == good and set(heard[:-1]) <= sent


class Boaster(ModelCard):
    """Lists three recordings as large as a number can say, and sends whatever it is asked for."""

    def entry(self, recording: Recording, library: str) -> message.Entry:
        return super().entry(recording, library)._replace(sectors=65535)

    def frames(self, request: dict[str, object]) -> Iterator[Frame]:
        if request["do"] == "pull":
            pytest.fail("the host pulls more than any card can hold")
        yield from super().frames(request)


def test_a_card_that_claims_more_than_any_card_can_hold_fills_no_disk(tmp_path: Path) -> None:
    with (
        Library(tmp_path) as library,
        CardLink(ModelPort(Boaster(make_recordings((1, 1, 1))))) as link,
        pytest.raises(DeviceError),
    ):
        sync(link, library)


@pytest.mark.parametrize("noise", [b"\xff", b"\0", b"\x05\x02\x09ab\0"], ids=["garbage", "zeros", "frames"])
def test_a_port_that_babbles_for_ever_is_not_listened_to_for_ever(
    noise: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversation, "_LATEST_S", 0.3)
    monkeypatch.setattr(client, "GREETING_S", 0.2)
    master, slave = pty.openpty()
    tty.setraw(slave)
    over = threading.Event()

    def babble() -> None:
        os.set_blocking(master, False)
        while not over.wait(0.0002):
            try:
                os.write(master, noise * 500)
            except BlockingIOError:
                continue

    talker = threading.Thread(target=babble)
    talker.start()
    started = time.monotonic()
    try:
        with pytest.raises(DeviceError):
            CardLink.open(os.ttyname(slave))
        assert time.monotonic() - started < 10
    finally:
        over.set()
        talker.join()
        os.close(master)
        os.close(slave)


def test_liars_of_many_kinds(tmp_path: Path) -> None:
    endings = set()
    for number in range(6):
        outcome = liar.run(f"liar-few-{number}", tmp_path)
        assert not outcome.wrong and not outcome.lost, (outcome.id, outcome.wrong, outcome.lost)
        endings |= {ending.split(":")[0] for ending in outcome.endings}
    assert len(endings) > 1, "not every lie is swallowed"


def test_a_host_that_never_reads_costs_a_recording_nothing(tmp_path: Path, conversation: Path) -> None:
    script = "boot; tap rec; wait 1s; plug; unplug; wait 1s; tap rec; wait 1s; plug"
    with running_card(EmulateOptions(mic=conversation, flash_size_bytes=4 << 20, script=script)) as card:
        line = os.open(card.port(), os.O_RDWR | os.O_NOCTTY)
        request = message.pack_json({"do": "image", "from": 0})
        os.write(line, bytes(frame.FrameWriter(frame.MAX_TO_CARD_BYTES).frame(message.REQUEST, 1, request)))
        time.sleep(2)
        os.close(line)
        with Library(tmp_path) as library, CardLink.open(str(card.port())) as link:
            (entry,) = sync(link, library).new
        assert entry.length_s > 3 and entry.lost_s == entry.unknown_s == 0
        assert card.report().cycles[0].samples_lost == 0
