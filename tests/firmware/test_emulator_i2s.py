"""The emulated microphone and its DMA ring: what arrives, what is lost, and when the card hears of it."""

import struct
import time

import esp32
import machine

from emulator import board
from emulator.world import PowerOff
from prepared import make_image

DC = 40 << 16
NOISE = 0x700  # the bits that a microphone's own noise moves
RATE = 16_000
MONO, STEREO = machine.I2S.MONO, machine.I2S.STEREO


def sample(number):
    """A sound that never repeats within the tests."""
    return (number * 7919) % 65003 - 32501


def room(samples, **options):
    with open("room.s16", "wb") as file:
        file.write(struct.pack("<%dh" % samples, *[sample(n) for n in range(samples)]))
    board.reset(microphone_path="room.s16", dc=DC, **options)


def microphone(ibuf=32768, format=MONO):
    pin = machine.Pin
    pins = {"sck": pin(5), "ws": pin(6), "sd": pin(4)}
    return machine.I2S(0, mode=machine.I2S.RX, bits=32, format=format, rate=RATE, ibuf=ibuf, **pins)


def heard(buf):
    """The samples in a buffer of words."""
    return [(word - DC) >> 16 for word in struct.unpack("<%di" % (len(buf) // 4), buf)]


def first_of(i2s):
    """The number of the sample that is read next."""
    buf = bytearray(40)
    i2s.readinto(buf)
    samples = heard(buf)
    for number in range(0, 400_000):
        if sample(number) == samples[0] and samples == [sample(number + i) for i in range(10)]:
            return number
    raise AssertionError("not a part of the sound")


def test_every_sample_arrives_with_the_offset_alone_and_then_there_is_silence():
    room(2000)
    i2s, buf = microphone(), bytearray(4 * 480)
    words = b""
    for _ in range(5):
        assert i2s.readinto(buf) == len(buf)
        words += bytes(buf)
    heard = struct.unpack("<2400i", words)
    assert [word & ~NOISE for word in heard] == [(sample(n) << 16 if n < 2000 else 0) + DC for n in range(2400)]
    assert len({word & NOISE for word in heard[2000:2100]}) > 1, "its lowest bits are never still"
    assert board.world.now_us == 10 * 16_000  # a descriptor is 16 ms
    assert board.audio == {"heard": 2400, "lost": 0}


def test_stereo_has_the_microphone_on_the_left():
    room(2000)
    buf = bytearray(8 * 100)
    microphone(format=STEREO).readinto(buf)
    words = struct.unpack("<200i", buf)
    assert [words[2 * n] & ~NOISE for n in range(100)] == [(sample(n) << 16) + DC for n in range(100)]
    assert {words[2 * n + 1] for n in range(100)} == {0}


def test_the_microphone_is_in_a_room_and_not_on_a_tape():
    room(60_000)
    i2s = microphone()
    i2s.readinto(bytearray(400))
    i2s.deinit()
    time.sleep(2)
    start_us = board.world.now_us
    assert first_of(microphone()) == start_us * RATE // 1_000_000


def test_an_erase_loses_all_but_the_last_descriptor_that_completes_in_it():
    make_image("flash.bin", 2)
    room(60_000, flash_path="flash.bin")
    i2s = microphone()
    i2s.readinto(bytearray(4 * 256))
    (flash,) = esp32.Partition.find(esp32.Partition.TYPE_DATA, label="recordings")
    flash.ioctl(6, 0)  # 45 ms: the descriptors at 32 and 48 ms complete
    assert board.audio["lost"] == 256
    assert first_of(i2s) == 2 * 256


def test_a_program_of_one_page_loses_nothing():
    make_image("flash.bin", 2)
    room(60_000, flash_path="flash.bin", worst_case_flash=True)
    i2s, buf = microphone(), bytearray(4 * 480)
    (flash,) = esp32.Partition.find(esp32.Partition.TYPE_DATA, label="recordings")
    for _ in range(50):
        i2s.readinto(buf)
        flash.writeblocks(0, bytes(256), 0)
    assert board.audio["lost"] == 0


def test_a_full_ring_drops_its_oldest():
    room(60_000)
    i2s = microphone(ibuf=8 * 2048)  # eight descriptors, seven can wait
    time.sleep_ms(1000)  # 62 descriptors complete
    assert first_of(i2s) == (62 - 7) * 256
    assert board.audio["lost"] == (62 - 7) * 256


def test_the_smallest_ring_has_two_descriptors():
    room(60_000)
    i2s = microphone(ibuf=100)
    time.sleep_ms(1000)
    assert first_of(i2s) == 61 * 256


def test_with_a_handler_reading_returns_at_once_and_the_handler_tells():
    room(60_000)
    i2s, done = microphone(), []
    i2s.irq(lambda source: done.append((source is i2s, board.world.now_us)))
    buf = bytearray(4 * 480)
    assert i2s.readinto(buf) == len(buf)
    assert board.world.now_us == 0 and buf == bytearray(len(buf))
    time.sleep_ms(100)
    assert done == [(True, 32_000)]
    assert heard(buf) == [sample(n) for n in range(480)]


def test_of_three_reads_at_a_time_the_third_is_silently_dropped():
    room(60_000)
    i2s, done = microphone(), []
    i2s.irq(done.append)
    for _ in range(3):
        i2s.readinto(bytearray(4 * 256))
    time.sleep_ms(500)
    assert len(done) == 2


def test_the_end_of_the_sound_is_an_instant():
    room(20_001)
    ends = []
    board.microphone.on_end(lambda: ends.append(board.world.now_us))
    time.sleep_ms(300)
    microphone()
    start_us = board.world.now_us
    time.sleep(5)
    assert ends == [start_us + 1_250_063]  # 20 001 samples, rounded up to a microsecond


def test_what_the_board_does_not_have_is_refused():
    room(10)
    pin = machine.Pin
    good = {
        "sck": pin(5),
        "ws": pin(6),
        "sd": pin(4),
        "mode": 9,
        "bits": 32,
        "format": MONO,
        "rate": RATE,
        "ibuf": 4096,
    }
    for wrong in ({"sd": pin(3)}, {"bits": 16}, {"rate": 44_100}, {"mode": machine.I2S.TX}):
        try:
            machine.I2S(0, **dict(good, **wrong))
        except ValueError:
            continue
        raise AssertionError(wrong)


def test_a_receiver_that_hangs_completes_nothing_more_until_the_next_start():
    room(60_000)
    i2s, buf, filled = microphone(), bytearray(4 * 256), []
    i2s.irq(filled.append)
    i2s.readinto(buf)
    time.sleep_ms(40)
    assert len(filled) == 1
    board.microphone.hang()
    for _ in range(2):
        i2s.readinto(buf)
        time.sleep(10)
    assert len(filled) == 2, "what had completed before is still there"
    again = microphone()
    again.irq(filled.append)
    again.readinto(buf)
    time.sleep(10)
    assert len(filled) == 2, "opening it again does not help"
    room(60_000)
    microphone().readinto(buf)


def test_a_blocking_read_of_a_receiver_that_hangs_ends_with_the_watchdog():
    room(60_000)
    machine.WDT(timeout=1000)
    i2s = microphone()
    board.microphone.hang()
    try:
        i2s.readinto(bytearray(400))
    except PowerOff as end:
        assert end.args == ("watchdog",)
    else:
        raise AssertionError("it read something")
