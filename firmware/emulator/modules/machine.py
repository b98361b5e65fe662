"""machine, as far as the board has it."""

from emulator.chip import (  # noqa: F401
    DEEPSLEEP_RESET,
    EXT0_WAKE,
    EXT1_WAKE,
    HARD_RESET,
    PWRON_RESET,
    RTC,
    SOFT_RESET,
    WDT,
    WDT_RESET,
    deepsleep,
    freq,
    reset,
    reset_cause,
    unique_id,
    wake_reason,
)
from emulator.i2c import I2C  # noqa: F401
from emulator.i2s import I2S  # noqa: F401
from emulator.pins import ADC, Pin  # noqa: F401
from emulator.usb import USBDevice  # noqa: F401
