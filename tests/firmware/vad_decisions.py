"""Runs inside MicroPython: `vad_decisions.py FIRMWARE JOBS` decides on every frame of raw files, with the heap locked.

Each line of the file JOBS is `MODE FRAME_SAMPLES RAW_FILE`; for each one line is printed: the microseconds it took, then a 0
or 1 for each frame."""

import os
import sys
import time
from array import array

import micropython


def main(firmware, jobs):
    sys.path.insert(0, firmware)
    from card.capture.vad import Detector

    with open(jobs) as lines:
        for line in lines:
            mode, frame_samples, path = line.rstrip("\n").split(" ", 2)
            detector = Detector(int(mode), int(frame_samples))
            decisions = bytearray(os.stat(path)[6] // (2 * int(frame_samples)))
            samples = array("h", bytes(2 * int(frame_samples)))
            with open(path, "rb") as raw:
                started_us = time.ticks_us()
                decide(detector, raw, samples, decisions)
                took_us = time.ticks_diff(time.ticks_us(), started_us)
            print(took_us, decisions.decode())


def decide(detector, raw, samples, decisions):
    micropython.heap_lock()
    for n in range(len(decisions)):
        raw.readinto(samples)
        decisions[n] = 49 if detector.is_speech(samples) else 48
    micropython.heap_unlock()


main(sys.argv[1], sys.argv[2])
