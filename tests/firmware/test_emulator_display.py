"""The emulated display: commands in, pixels out, and what the I2C bus costs."""

import time

import machine

from emulator import board

ADDRESS = 0x3C
START = (
    b"\x00\xae\x20\x00\x40\xa1\xa8\x3f\xc8\xd3\x00\xda\x12\xd5\x80\xd9\xf1\xdb\x30\x81\xff\xa4\xa6\xad\x30\x8d\x14\xaf"
)


def bus():
    return machine.I2C(0, scl=machine.Pin(9), sda=machine.Pin(8), freq=400_000)


def lit():
    """(x, y) of each light pixel."""
    rows = board.display.pixels()
    return {(x, y) for y in range(board.display.height) for x in range(128) if rows[y * 16 + x // 8] & 0x80 >> x % 8}


def test_horizontal_addressing_fills_the_window():
    board.reset()
    bus().writeto(ADDRESS, START)
    bus().writeto(ADDRESS, b"\x00\x21\x0a\x0b\x22\x01\x02")
    bus().writeto(ADDRESS, b"\x40\x01\x80\x03\x00")
    assert lit() == {(10, 8), (11, 15), (10, 16), (10, 17)}


def test_page_addressing_stays_in_its_page():
    board.reset()
    bus().writeto(ADDRESS, START)
    bus().writeto(ADDRESS, b"\x80\x20\x80\x02\x80\xb7\x80\x0f\x80\x17")  # page mode, page 7, column 127
    bus().writeto(ADDRESS, b"\x40\x80\x01")
    assert lit() == {(127, 63), (0, 56)}


def test_a_command_may_come_byte_by_byte():
    board.reset()
    for byte in START[1:]:
        bus().writeto(ADDRESS, bytes((0x80, byte)))
    bus().writevto(ADDRESS, (b"\x40", b"\x01"))
    assert lit() == {(0, 0)}


def test_the_picture_turns_inverts_and_goes_dark():
    board.reset()
    bus().writeto(ADDRESS, START)
    bus().writeto(ADDRESS, b"\x40\x01")
    for command, light in ((b"\xc0", {(0, 63)}), (b"\xa0", {(127, 63)}), (b"\xae", set()), (b"\x8d\x10\xaf", set())):
        bus().writeto(ADDRESS, b"\x00" + command)
        assert lit() == light, command
    bus().writeto(ADDRESS, b"\x00\x8d\x14\xa7")
    assert len(lit()) == 128 * 64 - 1


def test_a_glass_of_32_rows():
    board.reset(display_height=32)
    bus().writeto(ADDRESS, START.replace(b"\xa8\x3f", b"\xa8\x1f").replace(b"\xda\x12", b"\xda\x02"))
    bus().writeto(ADDRESS, b"\x40" + b"\xff" * 512)
    assert len(lit()) == 128 * 32
    assert board.display.pbm()[:10] == b"P4\n128 32\n"


def test_what_is_no_command_is_an_error():
    for wrong in (b"\x00\xe4", b"\x00\xb8", b"\x00\x20\x03", b"\x00\x21\x05\x04", b"\x00\x21\x00\x80", b"\x33\x00"):
        board.reset()
        try:
            bus().writeto(ADDRESS, wrong)
        except ValueError:
            continue
        raise AssertionError(wrong)


def test_screens_are_told_when_they_rest():
    told = []
    board.reset(on_screen=lambda display, time_us: told.append((time_us, sum(display.pixels()))))
    bus().writeto(ADDRESS, START)
    time.sleep_ms(100)
    drawn_us = board.world.now_us
    bus().writeto(ADDRESS, b"\x40\x01")
    time.sleep_ms(10)
    bus().writeto(ADDRESS, b"\x40\x01")
    time.sleep_ms(100)
    bus().writeto(ADDRESS, b"\x00\xa4")
    time.sleep_ms(100)
    assert len(told) == 1  # the dark screen at the start is no news, nor is the same one again
    assert drawn_us <= told[0][0] < drawn_us + 1000 and told[0][1] == 0xC0


def test_a_byte_takes_nine_bits():
    board.reset()
    bus().writeto(ADDRESS, b"\x40" + bytes(1024))
    assert 0 <= 1026 * 9_000_000 // 400_000 - board.world.now_us <= 1  # the address is a byte, too


def test_nobody_answers_elsewhere():
    board.reset()
    assert bus().scan() == [ADDRESS]
    assert machine.I2C(0, scl=machine.Pin(8), sda=machine.Pin(9)).scan() == []
    try:
        bus().writeto(0x3D, b"")
    except OSError as error:
        assert error.args == (19,)
    else:
        raise AssertionError("somebody answered")
