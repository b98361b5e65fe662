"""Runs inside MicroPython: `draw_card.py FIRMWARE HERE LIBRARIES` draws each case on the emulated display, and prints its pixels.

First the letters from space to tilde, eight columns each, in hexadecimal. Then a line each, in the order of cases.py: the longest
time that a transfer held the bus, in µs, and rows of 16 bytes in hexadecimal, most significant bit first, 1 is light."""

import sys


def main(firmware, here, libraries):
    sys.path[:] = [firmware + "/emulator/modules", firmware, here, libraries, ".frozen"]
    import asyncio
    from binascii import hexlify

    import framebuf
    from cases import CASES

    from card import board as card_board
    from card.ui import screens, test_card
    from card.ui.display import Display
    from emulator import board

    letters = bytearray()
    for code in range(32, 127):
        columns = bytearray(8)
        framebuf.FrameBuffer(columns, 8, 8, framebuf.MONO_VLSB).text(chr(code), 0, 0, 1)
        letters += columns
    print(hexlify(letters).decode())
    for _, height, function, arguments in CASES:
        board.reset(display_height=height)
        bus = card_board.display_bus()
        display = Display(bus, 128, height)
        display.fill(1)  # what was there before
        asyncio.run(display.refresh())
        getattr(test_card if function == "test_card" else screens, function)(display, *arguments)
        asyncio.run(display.refresh())
        print(bus.longest_us, hexlify(board.display.pixels()).decode())


main(*sys.argv[1:])
