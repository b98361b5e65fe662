"""Modules that are loaded when they are wanted, and let go afterwards: a board without PSRAM has better uses for its memory."""

import gc
import sys

IS_SMALL = gc.mem_free() + gc.mem_alloc() < 500_000  # in a larger heap what has been loaded may stay; to ask takes long


class Late:
    """`with Late("card.pages") as pages:` the module is there within, and its memory is free again afterwards."""

    def __init__(self, name):
        self._name = name

    def __enter__(self):
        if IS_SMALL:
            gc.collect()
        return __import__(self._name, None, None, ("",))

    def __exit__(self, *_):
        if not IS_SMALL:
            return
        sys.modules.pop(self._name, None)
        package, leaf = self._name.rsplit(".", 1)
        if hasattr(sys.modules[package], leaf):
            delattr(sys.modules[package], leaf)
        gc.collect()
