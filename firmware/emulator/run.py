"""Run a card: `micropython run.py CONFIG.json`. The host starts this; it tells the host what happens. See life.py.

When this is over the interpreter shows its prompt, whose names are those of boot.py and main.py, as on the board."""

import sys

root = sys.path[0].rsplit("/", 1)[0]
sys.path[:] = [root + "/emulator/modules", root, ".frozen"]
__import__("emulator.life").life.live(sys.argv[1], globals())
