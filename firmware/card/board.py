"""The board's peripherals, on the pins of `card/pins.py`. The only module that imports `machine` and `esp32`."""

import sys
import time

import esp32
import machine
from micropython import const, kbd_intr

from card.pins import (
    BATTERY_DIVIDER,
    BATTERY_PIN,
    CABLE_PIN,
    DISPLAY_SCL_PIN,
    DISPLAY_SDA_PIN,
    KEY_PINS,
    MIC_SCK_PIN,
    MIC_SD_PIN,
    MIC_WS_PIN,
    SIGNAL_PIN,
)

SAMPLE_RATE = const(16000)
MIC_RING_BYTES = const(32768)  # 16 DMA descriptors of 256 frames: 240 ms of slack for a late reader
MIC_RING_STDIO_BYTES = const(81920)  # 40: a write to standard output that the host does not read takes 500 ms
DISPLAY_HZ = const(400_000)
DISPLAY_WIDTH = const(128)
WATCHDOG_MS = const(8000)
_PULL_UP_MS = const(20)  # until a pin that was left alone reads as its pull-up wants it
_NO_BATTERY_MV = const(1000)  # less than this is a pin with nothing on it
_CAUSES = {
    machine.PWRON_RESET: "power",
    machine.HARD_RESET: "reset",
    machine.WDT_RESET: "watchdog",
    machine.DEEPSLEEP_RESET: "sleep",
    machine.SOFT_RESET: "soft",
}


class Unwired:
    """A pin that the board does not have: it reads as its pull-up would have it."""

    def value(self, level=1):
        return 1


def keys():
    """{name: Pin}, pulled up: a pressed key reads 0."""
    return {name: machine.Pin(pin, machine.Pin.IN, machine.Pin.PULL_UP) for name, pin in KEY_PINS.items()}


def is_held(name):
    """Whether the key of that name is down, read once."""
    pin = keys()[name]
    time.sleep_ms(_PULL_UP_MS)
    return not pin.value()


def cable():
    """The pin that reads 0 while the cable brings power, and 1 on a board without the wire."""
    return Unwired() if CABLE_PIN is None else machine.Pin(CABLE_PIN, machine.Pin.IN, machine.Pin.PULL_UP)


def signal():
    """The pin of the LED or the vibration motor, off."""
    return Unwired() if SIGNAL_PIN is None else machine.Pin(SIGNAL_PIN, machine.Pin.OUT, value=0)


def sleep():
    """Deep sleep, out of which the key `rec`, the key `memo` or the cable starts the card. Their pull-ups are on the board."""
    esp32.wake_on_ext0(machine.Pin(KEY_PINS["rec"]), esp32.WAKEUP_ALL_LOW)
    others = tuple([machine.Pin(pin) for pin in (KEY_PINS["memo"], CABLE_PIN) if pin is not None])
    esp32.wake_on_ext1(others, esp32.WAKEUP_ALL_LOW)  # the S3 takes that for any of them
    machine.deepsleep()


def is_woken_by_rec():
    return machine.reset_cause() == machine.DEEPSLEEP_RESET and machine.wake_reason() == machine.EXT0_WAKE


def remember(data):
    """Keep some bytes through a deep sleep."""
    machine.RTC().memory(data)


def remembered():
    """What was kept through the sleep that ends with this start; empty after any other start."""
    return machine.RTC().memory() if machine.reset_cause() == machine.DEEPSLEEP_RESET else b""


def microphone():
    """The I2S microphone, running from now on: 24 bits in 32-bit words, left channel."""
    return machine.I2S(
        0,
        sck=machine.Pin(MIC_SCK_PIN),
        ws=machine.Pin(MIC_WS_PIN),
        sd=machine.Pin(MIC_SD_PIN),
        mode=machine.I2S.RX,
        bits=32,
        format=machine.I2S.MONO,
        rate=SAMPLE_RATE,
        ibuf=MIC_RING_BYTES if _has_usb() else MIC_RING_STDIO_BYTES,
    )


def display_bus():
    return machine.I2C(0, sda=machine.Pin(DISPLAY_SDA_PIN), scl=machine.Pin(DISPLAY_SCL_PIN), freq=DISPLAY_HZ)


def partition(label):
    """The data partition of that label, or None."""
    found = esp32.Partition.find(esp32.Partition.TYPE_DATA, label=label)
    return found[0] if found else None


def watchdog():
    """The chip's one watchdog, fed and running: unless `feed` is called every WATCHDOG_MS the card restarts."""
    return machine.WDT(timeout=WATCHDOG_MS)


def restart():
    machine.reset()


def reset_cause():
    """Why the card started: a brown-out counts as power, a panic of the chip as reset."""
    return _CAUSES.get(machine.reset_cause(), "reset")


def battery_mv():
    """The battery's voltage, or 0 when there is none."""
    if BATTERY_PIN is None:
        return 0
    adc = machine.ADC(machine.Pin(BATTERY_PIN), atten=machine.ADC.ATTN_11DB)
    measured_mv = adc.read_uv() // 1000 * BATTERY_DIVIDER
    return measured_mv if measured_mv >= _NO_BATTERY_MV else 0


def usb_device():
    """machine.USBDevice, or None where the firmware has none."""
    return machine.USBDevice() if _has_usb() else None


def stdio():
    """(input, output): the raw byte streams of the REPL's connection. Ctrl-C no longer stops the program."""
    kbd_intr(-1)
    return sys.stdin.buffer, sys.stdout.buffer


def _has_usb():
    return hasattr(machine, "USBDevice")
