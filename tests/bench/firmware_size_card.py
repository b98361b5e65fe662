"""Run by MicroPython: firmware_size_card.py FOLDER MODULE ... prints the heap that each module keeps when it is imported."""

import gc
import json
import sys

sys.path[:] = [sys.argv[1] + "/emulator/modules", sys.argv[1], ".frozen", sys.argv[1] + "/lib"]
for name in ("machine", "esp32", "time", "os", "select", "asyncio", "vfs", "struct", "binascii", "json", "framebuf"):
    __import__(name)  # these are in the chip's own firmware, or stand for what is

kept = {}
for name in sys.argv[2:]:
    gc.collect()
    before = gc.mem_free()
    __import__(name)
    gc.collect()
    kept[name] = before - gc.mem_free()
print(json.dumps(kept))
