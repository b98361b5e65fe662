"""The golden vectors of the link (tests/wire/vectors.json), read and written by the card's interpreters."""

import json
from binascii import hexlify, unhexlify

from wire import frame, message

MAX_BYTES = {"card": frame.MAX_TO_CARD_BYTES, "host": frame.MAX_TO_HOST_BYTES}


def vectors():
    with open(__file__.rsplit("/", 2)[0] + "/wire/vectors.json") as file:
        return json.load(file)


def frames_in(reader, wire, step):
    found = []
    for start in range(0, len(wire), step):
        for kind, sequence, payload in reader.feed(wire[start : start + step]):
            found.append((kind, sequence, hexlify(payload).decode()))
    return found


def test_frames_read_and_write_as_the_vectors_say():
    good = vectors()["good"]
    for vector in good:
        most, kind, sequence = MAX_BYTES[vector["to"]], vector["type"], vector["sequence"]
        payload, wire = unhexlify(vector["payload"]), unhexlify(vector["wire"])
        assert bytes(frame.FrameWriter(most).frame(kind, sequence, payload)) == wire, vector["name"]
        assert frames_in(frame.FrameReader(most), wire, 5000) == [(kind, sequence, vector["payload"])], vector["name"]
        if kind in (message.REQUEST, message.ANSWER):
            assert message.read_json(payload) == vector["meaning"], vector["name"]
        elif kind == message.LISTING:
            listing, meaning = message.read_listing(payload), vector["meaning"]
            assert (listing.generation, listing.total) == (meaning["generation"], meaning["total"])
            for entry, told in zip(listing.entries, meaning["entries"]):
                assert (entry.recording, entry.flags, entry.copies) == (
                    told["recording"],
                    told["flags"],
                    told["copies"],
                )
    assert len(good) > 25


def test_streams_give_the_frames_that_the_vectors_name():
    data = vectors()
    good = {v["name"]: (v["type"], v["sequence"], v["payload"]) for v in data["good"]}
    for stream in data["streams"]:
        for step in (1, 7, 5000):
            reader = frame.FrameReader(MAX_BYTES[stream["to"]])
            found = frames_in(reader, unhexlify(stream["wire"]), step)
            assert found == [good[name] for name in stream["frames"]], stream["name"]
            assert reader.dropped == stream["dropped"], stream["name"]
