"""Starts the card."""

import gc

gc.threshold(8192)  # while modules compile: else what stays lies scattered, and no room is left for large buffers
from card.app import run  # noqa: E402

gc.threshold(-1)
run()
