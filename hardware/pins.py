"""Writes the card's pin map for the default board: pins.py FILE."""

import sys
from pathlib import Path

from voicecard.device.boards import load_board, pins_module

if __name__ == "__main__":
    Path(sys.argv[1]).write_text(pins_module(load_board()), encoding="utf-8")
