"""Runs inside MicroPython: `adpcm_blocks.py FIRMWARE RAW_FILE OUT SHAPED` encodes whole frames, with the heap locked.

OUT gets the payloads of the audio blocks. Prints how many microseconds the encoder took."""

import sys
import time
from array import array

import micropython

FRAME_SAMPLES = 480


def main(firmware, path, out, shaped):
    sys.path.insert(0, firmware)
    from card.capture import adpcm

    state = adpcm.new_state(shaped == "1")
    samples = array("h", bytes(2 * FRAME_SAMPLES))
    payload = bytearray(4 + FRAME_SAMPLES // 2)
    took_us = 0
    with open(path, "rb") as raw, open(out, "wb") as blocks:
        while raw.readinto(samples) == 2 * FRAME_SAMPLES:
            micropython.heap_lock()
            started_us = time.ticks_us()
            adpcm.put_state(state, payload, 0)
            adpcm.encode(samples, FRAME_SAMPLES, state, payload, 4)
            took_us += time.ticks_diff(time.ticks_us(), started_us)
            micropython.heap_unlock()
            blocks.write(payload)
    print(took_us)


main(*sys.argv[1:])
