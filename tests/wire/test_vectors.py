"""The golden vectors of the link: made with other people's COBS and CRC, and what the host's side makes of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from voicecard.firmware.wire import frame, message
from wire.make_vectors import VECTORS, vectors

MAX_BYTES = {"card": frame.MAX_TO_CARD_BYTES, "host": frame.MAX_TO_HOST_BYTES}
DATA: dict[str, list[dict[str, Any]]] = json.loads(VECTORS.read_text(encoding="utf-8"))


def test_the_file_is_what_the_independent_encoder_makes() -> None:
    assert vectors() == DATA


@pytest.mark.parametrize("vector", DATA["good"], ids=lambda vector: str(vector["name"]))
def test_frames_read_and_write_as_the_vectors_say(vector: dict[str, Any]) -> None:
    wire, payload = bytes.fromhex(vector["wire"]), bytes.fromhex(vector["payload"])
    most = MAX_BYTES[vector["to"]]
    assert bytes(frame.FrameWriter(most).frame(vector["type"], vector["sequence"], payload)) == wire
    found = [(kind, sequence, bytes(data)) for kind, sequence, data in frame.FrameReader(most).feed(wire)]
    assert found == [(vector["type"], vector["sequence"], payload)]
    assert meaning_of(vector["type"], payload) == vector["meaning"]


@pytest.mark.parametrize("stream", DATA["streams"], ids=lambda stream: str(stream["name"]))
@pytest.mark.parametrize("step", [1, 7, 5000])
def test_streams_give_the_frames_that_the_vectors_name(stream: dict[str, Any], step: int) -> None:
    good = {vector["name"]: (vector["type"], vector["sequence"], vector["payload"]) for vector in DATA["good"]}
    reader, wire, found = frame.FrameReader(MAX_BYTES[stream["to"]]), bytes.fromhex(stream["wire"]), []
    for start in range(0, len(wire), step):
        found += [(k, s, bytes(p).hex()) for k, s, p in reader.feed(wire[start : start + step])]
    assert found == [good[name] for name in stream["frames"]]
    assert reader.dropped == stream["dropped"]


@pytest.mark.parametrize("most", MAX_BYTES.values())
@pytest.mark.parametrize("byte", [b"x", b"\0"])
def test_a_frame_one_byte_too_long_is_dropped(most: int, byte: bytes) -> None:
    longest, writer = byte * (most - frame.OVERHEAD_BYTES), frame.FrameWriter(most + 1)
    reader = frame.FrameReader(most)
    assert [bytes(data) for _, _, data in reader.feed(writer.frame(1, 1, longest))] == [longest]
    assert not list(reader.feed(writer.frame(1, 1, longest + byte))) and reader.dropped == 1


def meaning_of(kind: int, payload: bytes) -> object:
    if kind in (message.REQUEST, message.ANSWER):
        return message.read_json(payload)
    if kind == message.LISTING:
        listing = message.read_listing(payload)
        entries = [{**entry._asdict(), "nonce": entry.nonce.hex()} for entry in listing.entries]
        return {**listing._asdict(), "entries": entries}
    if kind == message.SECTOR:
        return {"index": int.from_bytes(payload[: message.SECTOR_NUMBER_BYTES], "little")}
    return "a type that nobody knows yet"
