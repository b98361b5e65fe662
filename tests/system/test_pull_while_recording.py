"""Hosts at work while the card records, with flash at its worst: no sample is lost, and every byte that is pulled is right."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from interpreters import BITS32, BITS64, Interpreter
from voicecard.device.client import CardLink, Listed
from voicecard.device.emulate import EmulateOptions, running_card
from voicecard.device.emulation_report import CycleReport
from voicecard.errors import LinkLostError
from voicecard.firmware.wire import frame, message
from voicecard.library.archive import Library
from voicecard.sync import sync

RATE = 16000
UNSPOKEN_S = 0.2  # of what the microphone heard: from the last frame of a recording to the microphone's end
SOON_S = 60.0
KINDS = [("usb", BITS64), ("stdio", BITS32)]


@pytest.fixture(params=KINDS, ids=[f"{carrier}-{interpreter.name}" for carrier, interpreter in KINDS])
def card_options(request: pytest.FixtureRequest, conversation: Path) -> EmulateOptions:
    carrier: str
    interpreter: Interpreter
    carrier, interpreter = request.param
    interpreter.require()
    return EmulateOptions(
        mic=conversation,
        flash_size_bytes=4 << 20,
        carrier=carrier,
        interpreter=interpreter.path,
        worst_case_flash=True,
        seed=1,
    )


def pulled(link: CardLink, listed: Listed) -> bytes:
    return b"".join(link.pull(listed, 0))


def check_nothing_lost(cycle: CycleReport, library: Library) -> None:
    """All that the microphone gave is in the recordings."""
    assert (cycle.samples_lost, cycle.dropped_callbacks) == (0, 0)
    entries = library.entries()
    assert all(entry.lost_s == entry.unknown_s == 0 for entry in entries)
    unspoken_s = cycle.samples_heard / RATE - sum(entry.length_s for entry in entries)
    assert 0 <= unspoken_s < UNSPOKEN_S * len(entries)


def test_a_host_that_pulls_proves_and_never_reads_while_the_card_records(
    tmp_path: Path, card_options: EmulateOptions
) -> None:
    script = (
        "boot; tap rec; wait 9s; tap rec; wait 1s; tap rec; wait 8s; plug; unplug; plug; unplug; "
        "wait 3s; tap rec; wait 1s; plug"
    )
    with Library(tmp_path) as library, running_card(replace(card_options, script=script)) as card:
        with CardLink.open(str(card.port())) as link:
            done, running = link.recordings()
            assert done.ended and not running.ended and link.status()["state"] == "recording"
            first = pulled(link, done)
            assert all(pulled(link, done) == first for _ in range(5))
            sealed = pulled(link, replace(running, sectors=sealed_sectors(link, running)))
            assert len(sealed) < link.recordings()[1].sectors * 4096, "only what has a successor is served"
            report = sync(link, library)
            assert report.open == 1 and [entry.original.read_bytes() for entry in report.new] == [first]
            assert link.recordings(library.id)[0].mine, "it is proved while the next one is being recorded"
        never_read(str(card.port()), done, for_s=2.5)
        with CardLink.open(str(card.port())) as link:
            (entry,) = sync(link, library).new
        assert len(sealed) > 4 * 4096 and entry.original.read_bytes().startswith(sealed)
        assert entry.end_reason == "key"
        check_nothing_lost(card.report().cycles[0], library)


def sealed_sectors(link: CardLink, listed: Listed) -> int:
    """How many sectors of a recording that still runs the card is willing to send."""
    answer = link._conversation.ask("pull", n=listed.number, nonce=listed.nonce, **{"from": 0})
    link._conversation.ask("stop")
    assert answer["open"] is True
    return int(answer["sectors"])


def never_read(port: str, listed: Listed, for_s: float) -> None:
    """Ask for a recording again and again, and read nothing."""
    writer = frame.FrameWriter(frame.MAX_TO_CARD_BYTES)
    asked = message.pack_json({"do": "pull", "n": listed.number, "nonce": listed.nonce, "from": 0})
    line = os.open(port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        until, sent = time.monotonic() + for_s, 0
        while time.monotonic() < until:
            with_number = bytes(writer.frame(message.REQUEST, sent % 256, asked))
            sent += 1
            with suppress(BlockingIOError):
                os.write(line, with_number)
            time.sleep(0.05)
    finally:
        os.close(line)


def come_and_go(port: str) -> None:
    """Be at the port until the script has noticed that a host was there: then the owner presses a key."""
    until = time.monotonic() + SOON_S
    state = ""
    while state != "recording":
        assert time.monotonic() < until
        with CardLink.open(port) as link:
            state = link.status()["state"]
        time.sleep(0.05)


def test_recordings_that_begin_and_end_under_the_eyes_of_a_host_that_pulls_all_the_time(
    tmp_path: Path, card_options: EmulateOptions
) -> None:
    script = (
        "boot; tap rec; wait 1500ms; tap rec; plug; wait 300ms; tap rec; wait 1500ms; tap rec; tap rec; wait 1s; tap memo; "
        "wait 500ms; tap rec; wait 300ms; unplug; plug"
    )
    options = replace(card_options, script=script, realtime=True)
    prefixes: dict[int, set[bytes]] = defaultdict(set)
    with Library(tmp_path) as library, running_card(options) as card:
        port = str(card.port())
        come_and_go(port)
        until = time.monotonic() + SOON_S
        with pytest.raises(LinkLostError), CardLink.open(port) as link:
            while time.monotonic() < until:
                for listed in link.recordings():
                    sealed = listed if listed.ended else replace(listed, sectors=listed.sectors - 1)
                    prefixes[listed.number].add(pulled(link, sealed))
        with CardLink.open(str(card.port())) as link:
            new = sync(link, library).new
        assert [entry.number for entry in new] == [1, 2, 3]
        for entry in new:
            whole = entry.original.read_bytes()
            assert all(whole.startswith(prefix) for prefix in prefixes[entry.number])
        assert max(map(len, prefixes.values())) > 2, "they grew while they were pulled"
        check_nothing_lost(card.report().cycles[0], library)
