"""esp32, as far as the card needs it."""

from emulator.flash import Partition  # noqa: F401
