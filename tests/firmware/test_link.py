"""The link's server, request by request: it answers what it knows, refuses the rest, and deletes or trusts nothing unproven."""

import asyncio
import time
from binascii import hexlify
from hashlib import sha256

from card.clock import Clock
from card.link.server import LinkServer
from card.log import Log
from prepared import CARD, file_of, make_image, power_on
from test_store import IMAGE, record
from wire import frame, message

LIBRARY = "abc123"
MOST_TURNS = 2000


class Line:
    """A carrier in memory: `send` puts bytes to the card, `sent` collects its frames; `room` bytes it takes at most."""

    def __init__(self):
        self._to_card = bytearray()
        self._reader = frame.FrameReader(frame.MAX_TO_HOST_BYTES)
        self.frames = []
        self.on_frame = None
        self.deaf = False

    def send(self, data):
        self._to_card.extend(data)

    async def read(self):
        while not self._to_card:
            await asyncio.sleep_ms(1)
        return self.read_arrived()

    def read_arrived(self):
        data, self._to_card = self._to_card, bytearray()
        return data

    async def write(self, data):
        await asyncio.sleep_ms(0)
        if self.deaf:
            return False
        for kind, sequence, payload in self._reader.feed(bytes(data)):
            self.frames.append((kind, sequence, bytes(payload)))
            if self.on_frame:
                self.on_frame(self)
        return True


class FakeCard:
    """What the requests act on."""

    def __init__(self, store):
        self.store, self.clock, self.log = store, Clock(), Log()
        self.name, self.version, self.boot = CARD, "0.1.0", 1

    def status(self):
        return {"state": "idle"}


def talk(store, *requests, on_frame=None, raw=b""):
    """Send requests (dicts) at once; returns the frames that come back, answers already read."""
    line = Line()
    line.on_frame = on_frame
    writer = frame.FrameWriter(frame.MAX_TO_CARD_BYTES)
    line.send(raw)
    for number, fields in enumerate(requests):
        line.send(bytes(writer.frame(message.REQUEST, number + 1, message.pack_json(fields))))
    server = LinkServer(line, FakeCard(store))

    async def serve():
        task = asyncio.create_task(server.run())
        quiet = 0
        while quiet < 50:
            before = len(line.frames)
            await asyncio.sleep_ms(1)
            quiet = quiet + 1 if len(line.frames) == before else 0
        task.cancel()

    asyncio.run(serve())
    return [(k, s, message.read_json(p) if k == message.ANSWER else p) for k, s, p in line.frames]


def fresh_store(recordings=2):
    make_image(IMAGE, 64)
    store, _ = power_on(IMAGE)
    for _ in range(recordings):
        record(store, 40)
    return store


def proof(store, recording, **changes):
    data = file_of(store, recording)
    fields = {
        "do": "safe",
        "n": recording,
        "nonce": hexlify(store.entry(recording).nonce).decode(),
        "sectors": len(data) // 4096,
        "digest": hexlify(sha256(data).digest()).decode(),
        "library": LIBRARY,
    }
    fields.update(changes)
    return fields


def test_hello_tells_who_and_what():
    ((kind, sequence, answer),) = talk(fresh_store(), {"do": "hello", "v": 1})
    assert (kind, sequence) == (message.ANSWER, 1)
    assert answer["card"] == CARD and answer["v"] == 1 and "pull" in answer["features"] and answer["ticks_us"] > 0


def test_what_it_does_not_know_or_understand_is_refused_and_the_next_request_answered():
    requests = (
        {"do": "dance"},
        {"v": 1},
        {"do": ["list"]},
        {"do": "list"},
        {"do": "list", "from": "0"},
        {"do": "list", "from": -1},
        {"do": "pull", "n": 99, "nonce": "00" * 8, "from": 0},
        {"do": "clock", "wall_ms": 5, "uncertainty_ms": 1},
        {"do": "stop"},
    )
    answers = [fields for _, _, fields in talk(fresh_store(), *requests, raw=b"\0garbage\0\0\xff\xff\0")]
    assert [a.get("error") for a in answers] == ["unknown"] * 3 + ["bad"] * 3 + ["gone", "bad", None]
    assert all(a["say"] for a in answers[:-1])


def test_a_listing_has_every_recording():
    store = fresh_store(3)
    ((kind, _, payload),) = talk(store, {"do": "list", "from": 0})
    listing = message.read_listing(payload)
    assert kind == message.LISTING and listing.total == 3
    assert [(e.recording, e.samples, e.flags) for e in listing.entries] == [(n, 40 * 480, 1) for n in (1, 2, 3)]


def test_a_pull_streams_the_file_from_any_sector_on():
    store = fresh_store()
    data = file_of(store, 2)
    nonce = hexlify(store.entry(2).nonce).decode()
    for first in range(len(data) // 4096 + 1):
        frames = talk(store, {"do": "pull", "n": 2, "nonce": nonce, "from": first})
        assert frames[0][2] == {"sectors": len(data) // 4096, "open": False} and frames[-1][2] == {"done": True}
        sectors = [payload for kind, _, payload in frames if kind == message.SECTOR]
        assert [int.from_bytes(p[:2], "little") for p in sectors] == list(range(first, len(data) // 4096))
        assert b"".join(p[2:] for p in sectors) == data[4096 * first :]


def test_a_new_request_ends_a_pull():
    store = fresh_store()
    nonce = hexlify(store.entry(1).nonce).decode()
    stop = bytes(frame.FrameWriter(64).frame(message.REQUEST, 9, message.pack_json({"do": "stop"})))

    def after_two(line):
        if len(line.frames) == 2:
            line.send(stop)

    frames = talk(store, {"do": "pull", "n": 1, "nonce": nonce, "from": 0}, on_frame=after_two)
    assert [kind for kind, _, _ in frames] == [message.ANSWER, message.SECTOR, message.ANSWER]
    assert frames[-1][1:] == (9, {"stopped": True})


def test_only_the_right_proof_makes_a_recording_safe():
    store = fresh_store()
    wrong = (
        ({"digest": "00" * 32}, "digest"),
        ({"digest": proof(store, 2)["digest"]}, "digest"),
        ({"sectors": 1}, "digest"),
        ({"nonce": "11" * 8}, "gone"),
        ({"n": 7}, "gone"),
        ({"digest": "zz"}, "bad"),
        ({"library": "ab"}, "bad"),
    )
    for changes, error in wrong:
        assert talk(store, proof(store, 1, **changes))[0][2]["error"] == error
    assert store.entry(1).flags == 1
    assert [f for _, _, f in talk(store, proof(store, 1), proof(store, 1))] == [{"safe": True}] * 2
    assert store.entry(1).flags == 3 and store.entry(2).flags == 1


def test_an_open_recording_is_served_up_to_its_last_whole_sector_and_cannot_be_proved():
    store = fresh_store(0)
    writer = store.begin()
    for _ in range(40):
        writer.audio(bytes(256))
    nonce = hexlify(store.entry(1).nonce).decode()
    frames = talk(store, {"do": "pull", "n": 1, "nonce": nonce, "from": 0}, proof(store, 1))
    assert frames[0][2] == {"sectors": 2, "open": True}
    assert frames[-1][2]["error"] == "open"


def test_after_a_write_that_the_host_did_not_take_the_card_is_silent_until_asked_again():
    store = fresh_store()
    nonce = hexlify(store.entry(1).nonce).decode()

    def go_deaf(line):
        line.deaf = len(line.frames) >= 2

    frames = talk(store, {"do": "pull", "n": 1, "nonce": nonce, "from": 0}, on_frame=go_deaf)
    assert len(frames) == 2


def test_a_host_counts_as_at_work_through_a_long_pull_and_for_ten_seconds_after_its_last_request():
    store = fresh_store()
    line = Line()
    server = LinkServer(line, FakeCard(store))
    nonce = hexlify(store.entry(1).nonce).decode()
    writer = frame.FrameWriter(frame.MAX_TO_CARD_BYTES)
    in_use = []

    def slowly(_line):
        time.sleep_ms(9000)
        in_use.append(server.in_use())

    def ask(number, fields):
        line.send(bytes(writer.frame(message.REQUEST, number, message.pack_json(fields))))

    async def serve():
        assert not server.in_use()
        task = asyncio.create_task(server.run())
        line.on_frame = slowly
        ask(1, {"do": "pull", "n": 1, "nonce": nonce, "from": 0})
        await asyncio.sleep_ms(100_000)
        line.on_frame = None
        assert not server.in_use()
        ask(2, {"do": "status"})
        await asyncio.sleep_ms(9000)
        assert server.in_use()
        await asyncio.sleep_ms(2000)
        assert not server.in_use()
        ask(3, {"do": "status"})
        ask(4, {"do": "bye"})
        await asyncio.sleep_ms(100)
        assert not server.in_use()
        task.cancel()

    asyncio.run(serve())
    assert len(in_use) >= 4 and all(in_use)
