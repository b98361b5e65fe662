"""Runs inside MicroPython: `card_engine.py FIRMWARE RAW MODE FRAME_SAMPLES` prints the card's own decision, 0 or 1, for each frame."""

import os
import sys
from array import array


def main(firmware, path, mode, frame_samples):
    sys.path.insert(0, firmware)
    from card.capture.vad import Detector

    detector = Detector(mode, frame_samples)
    samples = array("h", bytes(2 * frame_samples))
    decisions = bytearray(os.stat(path)[6] // (2 * frame_samples))
    with open(path, "rb") as raw:
        for n in range(len(decisions)):
            raw.readinto(samples)
            decisions[n] = 49 if detector.is_speech(samples) else 48
    print(decisions.decode())


main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
