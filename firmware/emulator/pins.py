"""Pins: keys that bounce, the sign that the cable brings power, the signal, and the battery's divider."""

from emulator import board, heap

BOUNCE_US = 5_000
MOST_BOUNCES = 3
PULL_UP_US = 5_000  # until it has charged the wire and what may be soldered to it: 45 kOhm and 100 nF


class Key:
    """A key between a pin and ground: 0 while it is pressed, and a few milliseconds of both at each move."""

    def __init__(self, world):
        self._world = world
        self.level = 1

    def move(self, level):
        """Press (0) or release (1) it now; the contact bounces for at most 5 ms, and ends at `level`."""
        self.level = level
        noise = self._world.noise
        edges = sorted([noise.below(BOUNCE_US - 1) + 1 for _ in range(2 * noise.below(MOST_BOUNCES + 1))])
        for after_us in edges:
            self._world.at(self._world.now_us + after_us, self._toggle)

    def _toggle(self):
        self.level ^= 1


class Pin:
    """machine.Pin: keys as inputs; any other pin reads what was written to it. Edges raise no interrupts here."""

    IN, OUT, OPEN_DRAIN = 1, 3, 7
    PULL_DOWN, PULL_UP = 1, 2
    IRQ_RISING, IRQ_FALLING = 1, 2

    def __init__(self, id, mode=-1, pull=-1, *, value=None):
        self.id = id.id if isinstance(id, Pin) else id
        if not isinstance(self.id, int) or not 0 <= self.id <= 48:
            raise ValueError("invalid pin")
        self._level = value or 0
        self.init(mode, pull)

    def init(self, mode=-1, pull=-1, *, value=None):
        self._pull = pull
        self._pulled_us = board.world.now_us
        if value is not None:
            self._drive(value)

    def value(self, level=None):
        if level is not None:
            self._drive(1 if level else 0)
            return None
        if self.id not in board.keys and self.id != board.CABLE_PIN:
            return self._level
        settled = self._pull == Pin.PULL_UP and board.world.now_us - self._pulled_us >= PULL_UP_US
        return board.level(self.id) if settled else self._floating()

    __call__ = value

    def irq(self, *args, **kwargs):
        raise NotImplementedError("the emulated pins raise no interrupts: poll them")

    def _drive(self, level):
        if level != self._level and self.id == board.SIGNAL_PIN and board.on_signal:
            board.on_signal(level)
        self._level = level

    def _floating(self):
        """What is not pulled up, or not for long, is ground while it is pulled there, otherwise anything."""
        depth = heap.release()
        level = board.level(self.id) and board.world.noise.below(2)
        heap.restore(depth)
        return level


class ADC:
    """machine.ADC: only the battery's pin is connected."""

    ATTN_0DB, ATTN_2_5DB, ATTN_6DB, ATTN_11DB = 0, 1, 2, 3

    def __init__(self, pin, *, atten=ATTN_0DB):
        self._pin = pin if isinstance(pin, Pin) else Pin(pin)

    def read_uv(self):
        """Microvolts at the pin: the divider's part of the battery."""
        return board.battery_mv * 1000 // board.BATTERY_DIVIDER if self._pin.id == board.BATTERY_PIN else 0
