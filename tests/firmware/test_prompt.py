"""The way to the prompt: for one start, by a note or by the key, and never against the owner's recordings."""

import asyncio
import os

from card import board as card_board
from card import boots, counters, files, prompt
from card.app import Card
from card.link.server import LinkServer
from card.safe_mode import SafeCard
from emulator import board
from emulator.world import PowerOff
from prepared import make_image, power_on
from test_link import Line, answers, fresh_card
from test_store import IMAGE, record
from wire import block, frame, message

HERE = os.getcwd()
FOLDER = HERE + "/data"
POWER, RESET, WATCHDOG = 1, 2, 3


def forget():
    files.prepare(HERE)
    for name in (prompt.NAME, boots.NAME, counters.NAME):
        try:
            os.remove(FOLDER + name)
        except OSError:
            pass


def start(cause=POWER, held=None, held_ms=1_000):
    """Switch the board on, with a key held for a while or none; returns whether that start is to end at the prompt."""
    board.reset(flash_path=IMAGE, cause=cause, seed=cause)
    if held:
        key = board.key(held)
        key.move(0)
        board.world.at(board.world.now_us + held_ms * 1000, lambda: key.move(1))
    return prompt.wanted(HERE)


def test_a_note_is_good_for_one_start_whatever_it_was_caused_by():
    forget()
    make_image(IMAGE, 16)
    for cause in (POWER, RESET, WATCHDOG):
        assert not start(cause)
        prompt.ask(FOLDER)
        prompt.ask(FOLDER)
        assert [start(cause), start(cause), start(cause)] == [True, False, False]


def test_a_note_that_cannot_be_taken_away_never_leads_to_the_prompt():
    forget()
    os.mkdir(FOLDER + prompt.NAME)
    with open(FOLDER + prompt.NAME + "/x", "w"):
        pass
    try:
        assert not start()
    finally:
        os.remove(FOLDER + prompt.NAME + "/x")
        os.rmdir(FOLDER + prompt.NAME)


def test_the_key_memo_counts_when_the_card_is_switched_on_and_no_other_key_does():
    forget()
    assert start(POWER, "memo") and start(POWER, "memo")
    assert not start(POWER) and not start(POWER, "rec")
    assert not start(RESET, "memo") and not start(WATCHDOG, "memo")


def test_a_key_that_is_stuck_keeps_no_card_from_recording():
    forget()
    assert start(POWER, "memo", 4_000) and not start(POWER, "memo", 3_600_000)
    assert board.world.now_us < 7_000_000


def test_a_key_that_nobody_touches_never_reads_as_held():
    forget()
    for seed in range(50):
        board.reset(flash_path=IMAGE, seed=seed)
        assert not prompt.wanted(HERE)


def test_a_board_that_lacks_the_key_starts():
    forget()
    pins, card_board.KEY_PINS = card_board.KEY_PINS, {"rec": 1}
    try:
        assert not start()
    finally:
        card_board.KEY_PINS = pins


def asked(card, *requests):
    """What the card answers, up to its restart; and why it went off, if it did."""
    line, writer = Line(), frame.FrameWriter(frame.MAX_TO_CARD_BYTES)
    for number, fields in enumerate(requests):
        line.send(bytes(writer.frame(message.REQUEST, number + 1, message.pack_json(fields))))
    card.link = LinkServer(line, card)
    asyncio.new_event_loop()
    try:
        asyncio.run(asyncio.wait_for_ms(card.link.run(), 1_000))
    except PowerOff as off:
        return [message.read_json(payload) for _, _, payload in line.frames], off.args[0]
    except asyncio.TimeoutError:
        pass
    return [message.read_json(payload) for _, _, payload in line.frames], None


def test_a_host_gets_the_prompt_at_the_next_start_and_a_start_like_any_other_after_that():
    forget()
    card = fresh_card(1)
    assert "repl" in answers(card, {"do": "hello"})[0]["features"]
    assert asked(card, {"do": "repl"}) == ([{"repl": True}], "reset")
    assert card.farewell
    assert [start(RESET), start(RESET)] == [True, False]


def test_what_is_no_wish_is_refused_and_changes_nothing():
    forget()
    card = fresh_card(1)
    wrong = [{"do": "repl", "stop": stop} for stop in (1, 0, None, "true", [])]
    told, off = asked(card, *wrong)
    assert [answer["error"] for answer in told] == ["bad"] * len(wrong) and off is None
    card.occupied = lambda: True
    for request in ({"do": "repl"}, {"do": "repl", "stop": False}, {"do": "repl", "stop": True}):
        told, off = asked(card, request)
        assert told[0]["error"] == "busy" and off is None
    assert not start(RESET)


def test_without_a_note_there_is_no_restart():
    forget()
    card = fresh_card(1)
    card.folder = HERE + "/nowhere"
    told, off = asked(card, {"do": "repl"})
    assert told[0]["error"] == "flash" and off is None


def test_neither_the_request_nor_the_start_at_the_prompt_touches_the_count_that_leads_to_safe_mode():
    forget()
    fresh_card(1)
    boots.write(7, 3, FOLDER)
    board.reset(flash_path=IMAGE)
    assert boots.begin(HERE)
    assert asked(SafeCard(HERE), {"do": "repl"})[1] == "reset"
    before = boots.read(FOLDER)
    assert before == (8, 2), "the next start tries the application once more, as after any in safe mode"
    assert start(RESET) and boots.read(FOLDER) == before


def test_the_start_that_asked_counts_as_a_good_one():
    forget()
    fresh_card(1)
    for _ in range(5):
        board.reset(flash_path=IMAGE)
        assert not boots.begin(HERE)
        card = Card(HERE)
        assert asked(card, {"do": "repl"})[1] == "reset"
        assert start(RESET)
    assert boots.read(FOLDER)[1] == 0 and card.count()[counters.FAILED_STARTS] == 0


def test_the_recordings_stay_as_they_are_until_the_start_after_the_prompt_closes_the_open_one():
    forget()
    make_image(IMAGE, 16)
    store, _ = power_on(IMAGE)
    record(store, 40)
    store.begin().append(block.pack_block(block.HEAD, 0, bytes(60)))
    with open(IMAGE, "rb") as image:
        before = image.read()
    prompt.ask(FOLDER)
    assert start(POWER)
    with open(IMAGE, "rb") as image:
        assert image.read() == before
    board.reset(flash_path=IMAGE)
    assert Card(HERE).store.closed_recordings == 1
