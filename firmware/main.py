"""Starts the application that lies in one of two slots: see slots.py. This file belongs to neither.

An update fills the slot that does not run, and puts it on trial. A start on trial is counted before it begins; whatever fails or
hangs in it ends in another start, and when none is left, the slot before runs again."""

import sys

import slots


def start():
    root = slots.ROOTS[slots.running]
    if root:
        sys.path[:0] = [root, root + "/lib"]
    from card import start

    start.run()


def try_out():
    """Start it so that it cannot keep the card: even a module that does not load must not leave it at the prompt."""
    from machine import WDT, reset

    WDT(timeout=8000)
    try:
        start()
    except Exception as error:
        sys.print_exception(error)
    reset()


if slots.begin():
    try_out()
else:
    start()
