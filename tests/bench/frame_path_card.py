"""Runs inside MicroPython: `frame_path_card.py FIRMWARE RAW` sends a sound (int16, 16 kHz) through the whole per-frame path, from
microphone words to finished blocks in memory, and prints the microseconds it took and the number of frames."""

import os
import sys
import time
from array import array

FRAME_SAMPLES = 480


class Nowhere:
    """A sink that keeps nothing: what flash costs is not the path's."""

    def audio(self, page):
        pass

    def append(self, data):
        pass


def main(firmware, path):
    sys.path.insert(0, firmware)
    from card import settings
    from card.capture.gain import make_gain
    from card.capture.recorder import Recorder
    from card.capture.vad import Detector

    values = settings.defaults()
    recorder = Recorder(Nowhere(), values, make_gain(values["gain_db"]), Detector(values["vad_mode"], FRAME_SAMPLES))
    samples = array("h", bytes(2 * FRAME_SAMPLES))
    words = array("i", bytes(4 * FRAME_SAMPLES))
    frames = os.stat(path)[6] // (2 * FRAME_SAMPLES)
    took_us = 0
    with open(path, "rb") as raw:
        for _ in range(frames):
            raw.readinto(samples)
            for n in range(FRAME_SAMPLES):
                words[n] = samples[n] << 16
            started_us = time.ticks_us()
            recorder.frame(words)
            took_us += time.ticks_diff(time.ticks_us(), started_us)
    print(took_us, frames)


main(sys.argv[1], sys.argv[2])
