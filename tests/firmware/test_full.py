"""A card that fills up: it warns, ends the recording whole, says so, refuses the next one, and frees nothing but what is proved."""

import asyncio
import json
import os
from hashlib import sha256

from card import board as card_board
from card.app import Card
from card.capture.microphone import Microphone
from card.capture.recorder import FRAME_WORDS_BYTES
from card.screen import Warning, view
from card.session import Session
from card.ui import keys, screens
from emulator import board
from prepared import counts, file_of, make_image, power_on
from test_link import forget_files
from test_store import IMAGE, kinds
from wire import block

SECTORS = 40
RESERVE = 4
FRAME_MS = 30
PAGES = 15  # of a sector, each with a frame
FULL = ("storage full", "plug in, sync")
MAKING_ROOM = ("making room", "one moment")


def full_card(clean, safe=0, per_recording=1):
    """A card with so many clean sectors, the rest taken by finished recordings; the first `safe` of them are proved.

    Returns (card, {number: file} of those that are not). Everything that is heard is kept."""
    forget_files()
    with open("settings.json", "w") as file:
        json.dump({"vad_mode": "off", "pre_roll_ms": 0}, file)
    make_image(IMAGE, SECTORS)
    store, _ = power_on(IMAGE)
    trust_next_sector(store)
    while store.clean_sectors > clean:
        fill(store, min(per_recording, store.clean_sectors - clean))
    unproved = {}
    for index, recording in enumerate(store.recordings):
        data = file_of(store, recording)
        if index < safe:
            assert store.mark_safe(recording, sha256(data).digest(), b"lib")
        else:
            unproved[recording] = data
    board.reset(flash_path=IMAGE)
    card = Card(os.getcwd())
    trust_next_sector(card.store)
    assert card.store.clean_sectors == clean
    return card, unproved


def trust_next_sector(store):
    """Without the sector that a start gives up because the power may have gone while it was taken: here every one counts."""
    store._index.next_is_suspect = False


def fill(store, sectors):
    """A finished recording of so many sectors, whatever the reserve."""
    writer = store.begin()
    writer._reserve = 0
    writer.append(block.pack_block(block.HEAD, 0, bytes(60)))
    for n in range(PAGES * sectors - 2):
        writer.audio(block.pack_block(block.AUDIO, n * 480, bytes(244)))
    writer.end((PAGES * sectors - 2) * 480, block.END_KEY, 0, 0, 0)
    store.finished(block.END_KEY, (PAGES * sectors - 2) * 480)
    assert len(store.sectors_of(writer.recording)) == sectors


def shown(card):
    """What the screen shows now."""
    return view(card, Warning())


def notice(texts):
    return (screens.notice,) + texts


async def until(condition, most_ms=120_000):
    for _ in range(most_ms // 10):
        if condition():
            return
        await asyncio.sleep_ms(10)
    raise AssertionError("it did not happen")


async def tap(card):
    await card.on_gesture("rec", keys.PRESS)
    await asyncio.sleep_ms(80)
    await card.on_gesture("rec", keys.TAP)


def use(card, what):
    """Run `what(card)` with the card's own tasks."""

    async def main():
        tasks = [asyncio.create_task(task) for task in (card.watch(), card.keep_room())]
        await what(card)
        for task in tasks:
            task.cancel()

    asyncio.run(main())


def record_for(card, frames):
    """A recording that its key ends with its last frame of so many, begun however little room there is; returns it."""

    async def main():
        session = Session(card, Microphone(card_board.microphone(), bytearray(FRAME_WORDS_BYTES)))
        take = session._recorder.frame

        def take_and_look(words):
            take(words)
            end_at_last()

        def end_at_last():
            if session.position == frames * 480:
                session.finish(session.position, block.END_KEY)

        session._recorder.frame = take_and_look
        end_at_last()
        await session.run()
        session._microphone.close()
        return session

    return asyncio.run(main())


def test_full_in_every_phase_the_recording_ends_whole_and_all_others_are_untouched():
    """The room runs out at the head block, at each audio block of a sector, and where the end block needs the next sector."""
    for clean in (RESERVE, RESERVE + 1, RESERVE + 2):
        room = (clean - RESERVE) * PAGES - 1  # the head has a page of its own
        for frames in {max(0, room + change) for change in (-15, -2, -1, 0, 1, 2)}:
            card, others = full_card(clean)
            number = card.store.recordings[-1] + 1
            session = record_for(card, frames)
            full = clean == RESERVE or frames > room
            assert session.reason == (block.END_STORAGE_FULL if full else block.END_KEY), (clean, frames)
            assert counts()["erases"] == 0 and card.store.clean_sectors >= RESERVE - 1
            store, _ = power_on(IMAGE)
            entry, data = store.entry(number), file_of(store, number)
            assert entry.reason == session.reason and kinds(data)[-1] == block.END
            assert kinds(data).count(block.AUDIO) == max(0, min(frames, room)) == entry.samples // 480
            assert {n: file_of(store, n) for n in others} == others and store.closed_recordings == 0


def test_when_it_is_full_the_screen_says_so_and_nothing_more_is_begun():
    card, others = full_card(10)

    async def owner(card):
        await tap(card)
        await until(lambda: card.session)
        await until(lambda: card.session is None)
        assert card.notice == FULL and shown(card) == notice(FULL)
        before = list(card.store.recordings)
        assert card.store.entry(before[-1]).reason == block.END_STORAGE_FULL
        await tap(card)
        await asyncio.sleep_ms(3000)
        assert card.session is None and card.store.recordings == before
        assert card.notice == FULL and shown(card) == notice(FULL)

    use(card, owner)
    assert counts()["erases"] == 0 and {n: file_of(card.store, n) for n in others} == others


def test_with_hardly_a_clean_sector_left_a_start_erases_first_what_is_proved_and_shows_it():
    for clean in (0, 1, 2):
        card, others = full_card(clean, safe=10, per_recording=3)
        seen = []

        async def owner(card):
            await tap(card)
            await until(lambda: card.session or seen.append(shown(card)))
            await asyncio.sleep_ms(1000)
            await tap(card)

        use(card, owner)
        assert notice(MAKING_ROOM) in seen
        assert {n: file_of(card.store, n) for n in others} == others
        last = card.store.recordings[-1]
        assert last not in others and card.store.entry(last).reason == block.END_KEY
        assert kinds(file_of(card.store, last)).count(block.AUDIO) > 30


def test_with_hardly_a_clean_sector_left_and_nothing_proved_a_start_is_refused_and_nothing_is_removed():
    for clean in (0, 1, 2):
        card, others = full_card(clean, per_recording=3)

        async def owner(card):
            await tap(card)
            await asyncio.sleep_ms(5000)
            assert card.session is None and shown(card) == notice(FULL)

        use(card, owner)
        assert counts()["erases"] == 0
        assert {n: file_of(card.store, n) for n in card.store.recordings} == others


class Room:
    """What a session's estimate rests on."""

    def __init__(self, seconds_left, kept_s, position_s):
        self.store, self.seconds_left = self, seconds_left
        self.kept_samples, self.position = kept_s * 16000, position_s * 16000

    def estimate_s(self):
        session = object.__new__(Session)
        session._card, session._recorder = self, self
        return session.seconds_left


def test_the_time_left_follows_how_much_is_said():
    assert Room(900, 0, 0).estimate_s() == Room(900, 600, 600).estimate_s() == 900
    half = Room(900, 600, 1200).estimate_s()
    assert 1500 < half < 1800, "half is speech, and a minute counts as nothing but speech"
    assert Room(900, 0, 4 * 3600).estimate_s() > 100_000


def test_fifteen_minutes_left_are_told_for_a_while_and_five_until_the_end():
    warning, session = Warning(), object()
    told = []
    for second in range(0, 1200, 2):
        left_s = 1100 - second if second < 1100 else 0
        if warning.step(session, left_s, 1000 * second):
            told.append(left_s)
    assert [left for left in told if left > 300] == list(range(900, 890, -2))
    assert [left for left in told if left <= 300][:150] == list(range(300, 0, -2))
    assert warning.step(object(), 800, 0) and not warning.step(object(), 1000, 0), "each recording has its own"


def test_a_recording_that_is_as_long_as_can_be_goes_on_as_the_next_one_and_loses_no_sound():
    card, _ = full_card(SECTORS)
    longest, block.MAX_RECORDING_SAMPLES = block.MAX_RECORDING_SAMPLES, 100 * 480
    try:

        async def owner(card):
            await tap(card)
            await asyncio.sleep_ms(250 * FRAME_MS)
            assert card.session.position < 100 * 480
            await tap(card)

        use(card, owner)
    finally:
        block.MAX_RECORDING_SAMPLES = longest
    entries = [card.store.entry(n) for n in card.store.recordings]
    assert [entry.reason for entry in entries] == [block.END_ROLLED_OVER] * 2 + [block.END_KEY]
    assert [entry.samples for entry in entries[:2]] == [100 * 480] * 2 and entries[2].samples > 40 * 480
    assert board.audio["lost"] == 0 and board.audio["heard"] // 480 - sum(e.samples for e in entries) // 480 <= 4
    assert card.notice is None and card.session is None
