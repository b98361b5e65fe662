"""Lost sound is found by the clock: exactly as much as the board dropped, whenever it did, and never by mistake."""

import asyncio

import esp32

from card import board as card_board
from card.capture.loss import LossMeter
from card.capture.microphone import Microphone
from card.capture.recorder import FRAME_WORDS_BYTES
from emulator import board
from prepared import make_image

IMAGE = "loss.img"
ERASE = 6


def listen(frames, disturb, worst_case_flash=False):
    """Listen to so many frames while `disturb(n)` is called before each; returns [(frame, samples found lost, since)]."""
    make_image(IMAGE, 64)
    board.reset(flash_path=IMAGE, worst_case_flash=worst_case_flash)
    (partition,) = esp32.Partition.find(esp32.Partition.TYPE_DATA, label="recordings")
    found = []

    async def run():
        microphone = Microphone(card_board.microphone(), bytearray(FRAME_WORDS_BYTES))
        meter = LossMeter()
        for n in range(frames):
            disturb(n, partition)
            assert await microphone.frame()
            lost = meter.frame(microphone.ready_us, microphone.waited)
            if lost:
                found.append((n, lost, meter.frames_since))
        microphone.close()

    asyncio.run(run())
    return found


def test_an_undisturbed_hour_has_no_loss():
    assert listen(120_000, lambda n, partition: None) == []
    assert board.audio["lost"] == 0


def test_page_programs_lose_nothing_even_at_their_worst():
    page = bytes(256)

    def program(n, partition):
        partition.writeblocks(n // 16 % 64, page, n % 16 * 256)

    assert listen(2000, program, worst_case_flash=True) == []
    assert board.audio["lost"] == 0


def test_what_an_erase_costs_is_found_to_the_sample_and_placed_within_a_quarter_of_a_second():
    for worst in (False, True):

        def erase(n, partition):
            if n in (100, 300, 303, 700):
                partition.ioctl(ERASE, n % 64)

        found = listen(1000, erase, worst)
        assert board.audio["lost"] > 0
        assert sum(lost for _, lost, _ in found) == board.audio["lost"]
        assert 0 < found[0][0] - 100 <= 16 and abs(found[0][0] - found[0][2] - 100) <= 4


def test_busy_readers_are_not_taken_for_losses():
    import time

    def dawdle(n, _partition):
        if n % 7 == 3:
            time.sleep_ms(90)

    assert listen(2000, dawdle) == []
    assert board.audio["lost"] == 0
