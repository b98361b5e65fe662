"""Deep sleep: all but the clock, its memory and the wake pins is off; waking is a start. Sources: ESP32-S3 Technical Reference
Manual, chapter "Low-Power Management"; `ports/esp32/modesp32.c` and `machine_rtc.c` of MicroPython 1.26."""

from emulator import board

RTC_PINS = range(22)  # those that can wake the chip
MEMORY_BYTES = 2048
CLOCK_ERROR_PERCENT = 3  # of the RC oscillator that counts the time slept: up to 5 before it is trimmed
EXT0_WAKE, EXT1_WAKE = 2, 3
WAKEUP_ALL_LOW, WAKEUP_ANY_HIGH = False, True


class Sleep:
    """`memory`: what RTC().memory() holds. `woken_by`: 0, or what has woken the chip. `asleep`: whether it sleeps now."""

    def __init__(self, memory=b"", woken_by=0):
        self.memory = memory
        self.woken_by = woken_by
        self.asleep = False
        self._ext0 = self._ext1 = ()

    def wake_on_ext0(self, pin, level):
        self._ext0 = () if pin is None else ((_checked(pin), level),)

    def wake_on_ext1(self, pins, level):
        """On the S3 "all low" means any of them: its hardware has no other."""
        self._ext1 = tuple([(_checked(pin), level) for pin in pins or ()])

    def begin(self, time_ms=None):
        """Does not return: a pin wakes the chip, or nothing ever."""
        if time_ms is not None:
            raise NotImplementedError("the emulated chip wakes by pins alone")
        world = board.world
        world.cancel(board.watchdog.get("event"))
        began_us = world.now_us
        self.asleep = True
        world.wait(None, self._is_woken)
        board.clock["set_us"] += (world.now_us - began_us) * CLOCK_ERROR_PERCENT // 100
        self.woken_by = EXT0_WAKE if _any(self._ext0) else EXT1_WAKE
        board.power_off("sleep")

    def _is_woken(self):
        return _any(self._ext0) or _any(self._ext1)


def _checked(pin):
    if pin.id not in RTC_PINS:
        raise ValueError("invalid pin")
    return pin.id


def _any(pins):
    for pin, level in pins:
        if bool(board.level(pin)) == level:
            return True
    return False
