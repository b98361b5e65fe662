"""Starts the application: the watchdog first, so that whatever hangs or fails from here on ends in another start.

A start that its owner wants at the prompt begins nothing and ends here: the watchdog could not be stopped any more."""

import gc

import micropython

IS_SMALL = gc.mem_free() < 1_000_000  # a board without PSRAM
if IS_SMALL:
    micropython.opt_level(3)  # the places of errors are done without
gc.threshold(8192)  # while modules compile: else what stays lies scattered, and no room is left for large buffers
import slots  # noqa: E402
from card import board, boots, prompt  # noqa: E402


def run():
    """A start on trial has been counted by who began it, and nobody can want the prompt."""
    if not slots.on_trial and prompt.wanted():
        gc.threshold(-1)
        return
    watchdog = board.watchdog()
    if boots.begin(counted=not slots.on_trial):
        from card.safe_mode import run
    else:
        for module in (
            "card.link.usb" if board.usb_device() else "card.link.stdio",
            "card.screen",
            "card.core",
            "card.capture.adpcm",
            "card.capture.vad",
            "card.session",
            "card.link.server",
            "card.upkeep",
            "card.app",
        ):
            __import__(module)  # compiling all of it at once could take the board longer than the watchdog waits
            gc.collect()
            watchdog.feed()
        from card.app import run

    gc.collect()  # what compiling left behind lies between large buffers
    # Collected often, a small heap stays in one piece; a large one would take long each time.
    gc.threshold(4096 if IS_SMALL else -1)
    run()
