"""The link's server, request by request: it answers what it knows, refuses the rest, and deletes or trusts nothing unproven."""

import asyncio
import os
import time
from binascii import hexlify
from hashlib import sha256

from card import counters, settings
from card.clock import Clock
from card.core import Core
from card.link.server import LinkServer
from card.log import Log
from emulator import board
from prepared import CARD, PARTITION_AT, file_of, make_image, power_on
from test_store import IMAGE, record
from wire import frame, message

LIBRARY = "abc123"
MOST_TURNS = 2000


class Line:
    """A carrier in memory: `send` puts bytes to the card, `sent` collects its frames; `room` bytes it takes at most."""

    def __init__(self):
        self._to_card = bytearray()
        self._reader = frame.FrameReader(frame.MAX_TO_HOST_BYTES)
        self._wire = bytearray(frame.encoded_bytes(frame.MAX_TO_HOST_BYTES))
        self._sending = None
        self.frames = []
        self.on_frame = None
        self.deaf = False
        self.taken = True

    def send(self, data):
        self._to_card.extend(data)

    async def read(self):
        while not self._to_card:
            await asyncio.sleep_ms(1)
        return self.read_arrived()

    def read_arrived(self):
        data, self._to_card = self._to_card, bytearray()
        return data

    def any(self):
        return len(self._to_card) > 0

    def begin(self, writer):
        self._sending = bytes(self._wire[: writer.encode(self._wire)])

    def go_on(self):
        data, self._sending = self._sending, None
        if data is None:
            return None
        self.taken = not self.deaf
        for kind, sequence, payload in self._reader.feed(data if self.taken else b""):
            self.frames.append((kind, sequence, bytes(payload)))
            if self.on_frame:
                self.on_frame(self)
        return 0


class FakeCard:
    """What the requests about recordings act on."""

    formatted = None

    def __init__(self, store):
        self.store, self.clock, self.log = store, Clock(), Log()
        self.name, self.version, self.boot = CARD, "0.1.0", 1

    def status(self):
        return {"state": "idle"}


def talk(store, *requests, on_frame=None, raw=b""):
    """Send requests (dicts) at once; returns the frames that come back, answers already read."""
    return converse(FakeCard(store), *requests, on_frame=on_frame, raw=raw)


def converse(card, *requests, on_frame=None, raw=b""):
    line = Line()
    line.on_frame = on_frame
    writer = frame.FrameWriter(frame.MAX_TO_CARD_BYTES)
    line.send(raw)
    for number, fields in enumerate(requests):
        line.send(bytes(writer.frame(message.REQUEST, number + 1, message.pack_json(fields))))
    server = card.link = LinkServer(line, card)

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


def fresh_store(recordings=2, frames=40, sectors=64):
    make_image(IMAGE, sectors)
    store, _ = power_on(IMAGE)
    for _ in range(recordings):
        record(store, frames)
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


def test_a_list_of_several_pages_comes_in_one_answer_and_tells_what_changed_under_way():
    store = fresh_store(message.ENTRIES_PER_LISTING * 2 + 1, frames=1, sectors=160)
    asked = {"do": "list", "from": 1, "library": LIBRARY, "pages": 1024}
    pages = [message.read_listing(payload) for _, _, payload in talk(store, asked)]
    assert [(page.first, len(page.entries)) for page in pages] == [(1, 64), (65, 64)]
    assert [e.recording for page in pages for e in page.entries] == store.recordings[1:]
    two = [message.read_listing(payload) for _, _, payload in talk(store, {"do": "list", "from": 0, "pages": 2})]
    assert [(page.first, len(page.entries), page.total) for page in two] == [(0, 64, 129), (64, 64, 129)]

    def record_another(line):
        line.on_frame = None
        record(store, 1)

    pages = [message.read_listing(payload) for _, _, payload in talk(store, asked, on_frame=record_another)]
    assert [page.total for page in pages] == [129, 130, 130] and pages[0].generation != pages[1].generation


def test_a_request_that_comes_meanwhile_ends_a_list():
    frames = talk(fresh_store(70, frames=1, sectors=96), {"do": "list", "from": 0, "pages": 2}, {"do": "status"})
    assert [(kind, sequence) for kind, sequence, _ in frames] == [(message.LISTING, 1), (message.ANSWER, 2)]


def test_a_proof_brings_the_next_recording_with_it_if_it_is_agreed_to():
    store = fresh_store()
    nonce = hexlify(store.entry(2).nonce).decode()
    then = {"n": 2, "nonce": nonce, "from": 1}
    frames = talk(store, proof(store, 1, then=then))
    alone = talk(store, {"do": "pull", "n": 2, "nonce": nonce, "from": 1})
    assert frames[0] == (message.ANSWER, 1, {"safe": True}) and frames[1:] == alone and len(alone) > 2

    store = fresh_store()
    (answer,) = talk(store, proof(store, 1, then=then, digest="00" * 32))
    assert answer[2]["error"] == "digest"
    for wrong in (None, [], "2", {}, {"n": 2, "nonce": nonce}, {"n": 2, "nonce": nonce, "from": -1}):
        (answer,) = talk(store, proof(store, 1, then=wrong))
        assert answer[2]["error"] == "bad"
    assert store.entry(1).copies == 0, "nothing was noted"
    agreed, refused = talk(store, proof(store, 1, then={"n": 9, "nonce": nonce, "from": 0}))
    assert agreed[2] == {"safe": True} and (refused[1], refused[2]["error"]) == (1, "gone")


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


def test_a_library_sees_what_it_holds_itself_and_can_take_that_back():
    store = fresh_store()
    (recording,) = store.recordings[:1]
    talk(store, proof(store, recording))
    flags = {}
    for library in (LIBRARY, "ffffff"):
        ((_, _, payload),) = talk(store, {"do": "list", "from": 0, "library": library})
        entry = message.read_listing(payload).entries[0]
        flags[library] = entry.flags & message.LISTED_MINE
        assert entry.flags & message.LISTED_SAFE and entry.copies == 1
    assert flags == {LIBRARY: message.LISTED_MINE, "ffffff": 0}
    assert talk(store, {"do": "list", "from": 0, "library": "ff"})[0][2]["error"] == "bad"

    revoke = {"do": "revoke", "n": recording, "nonce": proof(store, recording)["nonce"], "library": LIBRARY}
    wrong = dict(revoke)
    wrong["nonce"] = "11" * 8
    assert talk(store, wrong)[0][2]["error"] == "gone"
    assert store.entry(recording).copies == 1
    assert [answer for _, _, answer in talk(store, revoke, revoke)] == [{"revoked": True}] * 2
    assert store.entry(recording).copies == 0 and not store.entry(recording).flags & message.LISTED_SAFE


def forget_files():
    for folder, names in (("", ("settings.json",)), ("/data", ("counters.json", "boots", "formatting"))):
        for name in names:
            try:
                os.remove(os.getcwd() + folder + "/" + name)
            except OSError:
                pass


def fresh_card(recordings=0, **options):
    """A whole card without its application, whose files lie in the current folder."""
    forget_files()
    make_image(IMAGE, 16, **options)
    if recordings:
        store, _ = power_on(IMAGE)
        for _ in range(recordings):
            record(store, 40)
    board.reset(flash_path=IMAGE)
    return Core(os.getcwd())


def answers(card, *requests):
    return [answer for _, _, answer in converse(card, *requests)]


def test_settings_are_told_with_their_limits_and_changed_all_or_none():
    card = fresh_card(1)
    before = dict(card.settings)
    (told,) = answers(card, {"do": "settings"})
    assert told["settings"]["copies"] == {"value": 1, "default": 1, "allowed": {"from": 1, "to": 4}}
    assert told["settings"]["vad_mode"]["allowed"] == [0, 1, 2, 3, "off"] and set(told["settings"]) == set(
        settings.TABLE
    )
    for wrong in ({"copies": 5}, {"copies": 2, "colour": 1}, [], None, {"copies": True}):
        assert answers(card, {"do": "set", "settings": wrong})[0]["error"] == "bad"
    assert card.settings == before and settings.load(Log(), os.getcwd() + "/settings.json") == before
    (changed,) = answers(card, {"do": "set", "settings": {"copies": 2, "remove": "after days"}})
    assert changed["settings"]["copies"] == card.store.copies == 2
    board.reset(flash_path=IMAGE)
    again = Core(os.getcwd())
    assert again.settings == card.settings and again.settings["remove"] == "after days" and again.store.copies == 2


def test_settings_that_cannot_be_saved_are_not_changed():
    card = fresh_card(1)
    card._settings_path = "/nowhere/settings.json"
    assert answers(card, {"do": "set", "settings": {"copies": 2}})[0]["error"] == "flash"
    assert card.settings["copies"] == card.store.copies == 1


def test_damaged_frames_are_counted():
    noise = b"\0garbage\0\xff\xff\0" + b"x" * 500 + b"\0"
    ((_, _, told),) = converse(fresh_card(1), {"do": "counters"}, raw=noise)
    assert told["link_errors"] == 3 and told["boots"] == dict.fromkeys(counters.CAUSES, 0)


def test_the_log_is_told_as_far_as_an_answer_holds_it():
    card = fresh_card(1)
    for number in range(100):
        card.log.note('%d "%s"' % (number, "x" * 200))
    (told,) = answers(card, {"do": "log"})
    assert 10 < len(told["lines"]) <= 32 and ' 99 "x' in told["lines"][-1]


def test_an_image_is_the_whole_partition_as_it_lies_on_flash():
    card = fresh_card(2)
    talk(card.store, proof(card.store, 1))
    frames = converse(card, {"do": "image", "from": 3})
    assert frames[0][2] == {"sectors": 16} and frames[-1][2] == {"done": True}
    sectors = [payload for kind, _, payload in frames if kind == message.SECTOR]
    assert [int.from_bytes(payload[:2], "little") for payload in sectors] == list(range(3, 16))
    with open(IMAGE, "rb") as image:
        image.seek(PARTITION_AT + 3 * 4096)
        assert b"".join(payload[2:] for payload in sectors) == image.read()
    assert answers(card, {"do": "image", "from": 17})[0]["error"] == "bad"


def test_only_the_cards_name_and_the_words_format_it():
    card = fresh_card(2)
    wrong = ({}, {"card": CARD}, {"erase": "all recordings"}, {"card": "other", "erase": "all recordings"})
    for fields in wrong + ({"card": CARD, "erase": "everything"}, {"card": "", "erase": "all recordings"}):
        request = {"do": "format"}
        request.update(fields)
        assert answers(card, request)[0]["error"] == "bad"
    card.occupied = lambda: True
    assert answers(card, {"do": "format", "card": CARD, "erase": "all recordings"})[0]["error"] == "busy"
    assert card.store.recordings == [1, 2] and board.flash.regions[0].counts["erases"] == 0


def format_card(card):
    return {"do": "format", "card": card.name, "erase": "all recordings"}


async def formatted(card):
    while card.formatted is not None:
        await asyncio.sleep_ms(1)


def test_a_format_erases_everything_under_a_new_name_and_meanwhile_nothing_else_is_served():
    card = fresh_card(2)
    first = converse(card, format_card(card), {"do": "status"}, {"do": "list", "from": 0}, {"do": "hello"})
    assert first[0][2] == {"sectors": 16} and first[1][2]["state"] == "formatting" and first[1][2]["formatted"] < 16
    assert first[2][2]["error"] == "busy"
    asyncio.run(formatted(card))
    assert card.state == "idle" and card.name not in ("", CARD) and len(card.name) == 6
    assert card.store.recordings == [] and card.store.clean_sectors == 16
    assert card.count()["erases"] >= 16


def test_a_format_that_a_power_cut_interrupts_is_finished_at_the_next_start():
    card = fresh_card(2)
    converse(card, format_card(card), on_frame=lambda line: stop_formatting(card))
    assert card.formatted is not None
    board.reset(flash_path=IMAGE)
    again = Core(os.getcwd())
    assert again.state == "formatting" and again.store is None
    asyncio.run(formatted(again))
    assert again.state == "idle" and again.store.clean_sectors == 16 and again.name not in ("", CARD)


def stop_formatting(card):
    card._formatting.cancel()


def test_flash_that_was_never_prepared_can_be_imaged_and_formatted():
    card = fresh_card(marked=False)
    assert card.state == "fault" and card.name == ""
    (listed, image) = answers(card, {"do": "list", "from": 0}, {"do": "image", "from": 16})[:2]
    assert listed["error"] == "flash" and image == {"sectors": 16}
    assert answers(card, format_card(card))[0] == {"sectors": 16}
    asyncio.run(formatted(card))
    assert card.state == "idle" and card.store.clean_sectors == 16
