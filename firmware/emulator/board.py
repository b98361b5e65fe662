"""The one emulated board: what is soldered to what, and the parts of the run that is on.

`reset` makes it new; the stand-ins in `modules/` find their part here."""

I2S_PINS = 5, 6, 4  # sck, ws, sd
I2C_PINS = 8, 9  # sda, scl
BATTERY_PIN = 7
BATTERY_DIVIDER = 2
KEY_PINS = {"rec": 1, "memo": 2}
SIGNAL_PIN = 11
CABLE_PIN = 10  # pulled low by a transistor while the cable brings power
DISPLAY_ADDRESS = 0x3C

world = flash = microphone = display = line = usb = sleep = None
keys = {}  # by pin
audio = {"heard": 0, "lost": 0}  # samples
clock = {"set_us": 0}  # wall clock minus time since this start
watchdog = {}  # the chip's, once it runs: see chip.WDT
battery_mv = 0
reset_cause = 1
on_signal = None  # called with each level of the signal's pin that is new
power_off = None  # called with the reason; never returns
entropy = None


def wire(pins):
    """Solder the parts elsewhere: a dictionary of the names above."""
    globals().update({name: tuple(pin) if isinstance(pin, list) else pin for name, pin in pins.items()})


def reset(
    flash_path=None,
    microphone_path=None,
    seed=0,
    realtime=False,
    worst_case_flash=False,
    cut_at=None,
    flash_log=None,
    dc=0,
    display_height=64,
    on_screen=None,
    serial_masters=(),
    uart_copy=False,
    usb_port=False,
    usb_bytes_per_s=None,
    parent=None,
    battery_millivolts=4000,
    cause=1,
    on_power_off=None,
    calendar_us=0,
    memory=b"",
    woken_by=0,
    signal_hook=None,
    microphone_grows=False,
):
    """Switch on a new board. Without `on_power_off`, losing power raises world.PowerOff in the card's code."""
    # Here, because these modules look up their part in this one.
    from emulator.flash import Flash
    from emulator.i2s import Microphone
    from emulator.noise import Noise
    from emulator.oled import Display
    from emulator.pins import Key
    from emulator.serial import Line
    from emulator.sleep import Sleep
    from emulator.world import World

    global \
        world, \
        flash, \
        microphone, \
        display, \
        line, \
        usb, \
        sleep, \
        keys, \
        battery_mv, \
        reset_cause, \
        power_off, \
        on_signal, \
        entropy
    world = World(seed, realtime)
    flash = Flash(world, flash_path, worst_case_flash, cut_at, flash_log) if flash_path else None
    microphone = Microphone(world, microphone_path, dc, microphone_grows)
    display = Display(world, display_height, on_screen) if display_height else None
    if usb_port:
        from emulator.usb_port import Port
        from emulator.usb_terminal import Terminal

        line = world.line = Terminal(world, serial_masters, parent, usb_bytes_per_s)
        usb = Port(world, line.host, bytes_per_s=None)
    else:
        line = world.line = Line(world, serial_masters, uart_copy, parent)
        usb = None
    keys = {pin: Key(world) for pin in sorted(KEY_PINS.values())}
    audio.update(heard=0, lost=0)
    clock["set_us"] = calendar_us
    sleep = Sleep(memory, woken_by)
    watchdog.clear()
    battery_mv = battery_millivolts
    reset_cause = cause
    power_off = on_power_off or _lose_power
    on_signal = signal_hook
    entropy = Noise("entropy %s" % seed)


def key(name):
    """The key called `name`."""
    return keys[KEY_PINS[name]]


def level(pin):
    """What a pin with its pull-up reads."""
    if pin == CABLE_PIN:
        return 0 if line.has_cable() else 1
    return keys[pin].level if pin in keys else 1


def _lose_power(reason):
    from emulator.world import PowerOff

    raise PowerOff(reason)
