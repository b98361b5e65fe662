"""A card from power on to power off: its file system, boot.py, main.py, the prompt.

The configuration, a JSON file that is taken away when it is read: `flash`, `microphone` (paths or null), `microphone_grows`,
`seed`, `realtime`, `worst_case_flash`, `cut_at`, `log_flash`, `dc`, `display_height`, `screens`, `serial_masters`, `uart_copy`,
`battery_millivolts`, `reset_cause`, `calendar_us`, `memory` (base64), `woken_by`, `signals`, `controls` (a file descriptor, or
null), `steps`, `wiring` (null: the default board's, or the names that `board.py` begins with), `native` (null, or the `modules`
that are the chip's machine code and the folder of their `sources`), `events`, `keyboard` (see prompt.py; null: there is no
prompt), `soft`: null, or the prompt's mode `friendly` or `raw` at which the soft reset before this start was asked for.
To the file descriptor `events` go JSON lines: booted, plugged, unplugged, screen, signal (a new level), flash (one operation),
prompt, and in the end `off` with a reason, the steps that are left for after a restart, and figures. Then the process waits to
be killed: power that is gone runs no clean-up. After a soft reset, `soft`, it goes on with the configuration that the host
writes then."""

import binascii
import gc
import json
import os
import random
import select  # noqa: F401 - the card's
import sys
import time  # noqa: F401 - the card's

import esp32
import machine
import micropython
import uselect
import utime
import vfs

from emulator import board
from emulator.prompt import Prompt
from emulator.script import Script
from emulator.serial import Console, Stream

_ORPHAN_WAIT_MS = 10_000
_CONFIG_WAIT_MS = 10_000
_CONFIG_POLL_US = 2_000
_BLOCK_SIZE = 5  # the block protocol's request


class Reporter:
    """Tells the host side what happens."""

    def __init__(self, descriptor):
        self.stream = open(descriptor, "wb")
        self.script = None
        self.crashed = False
        self._off = False

    def emit(self, event, **fields):
        fields["event"] = event
        json.dump(fields, self.stream)  # in pieces: the card's heap may have no room for all of it
        self.stream.write(b"\n")

    def flash(self, *operation):
        self.emit("flash", operation=operation)

    def screen(self, display, time_us):
        self.emit("screen", time_us=time_us, height=display.height, bits=_base64(display.pixels()))

    def signal(self, level):
        self.emit("signal", time_us=board.world.now_us, level=level)

    def off(self, reason):
        """The last word: the power is gone, and the host ends this process."""
        self._off = True
        self._sum_up("crash" if self.crashed and reason == "end" else reason)
        gone = uselect.poll()
        gone.register(self.stream, 0)
        gone.poll(_ORPHAN_WAIT_MS)
        raise SystemExit(1)

    def soft_reset(self):
        """Ctrl-D at the prompt, or what does the same: the interpreter starts again, the chip and the cable stay."""
        if not self._off:
            sys.stdout.write("MPY: soft reboot\r\n")
            self._sum_up("soft", serial_masters=board.line.masters())

    def _sum_up(self, reason, **more):
        if board.display:
            board.display.settle()
        self.emit(
            "off",
            reason=reason,
            steps=self.script.remaining(),
            time_us=board.world.now_us,
            samples_heard=board.audio["heard"],
            samples_lost=board.audio["lost"],
            dropped_callbacks=board.world.dropped_callbacks,
            flash_operations=board.flash.operations,
            emulator_buffer_bytes=board.line.most_waiting,
            flash={region.label: region.counts for region in board.flash.regions},
            left=self._left(),
            **more,
        )

    def _left(self):
        """What a start after this one finds as it is: the battery, and what deep sleep keeps."""
        return {
            "battery_millivolts": board.battery_mv,
            "calendar_us": board.world.now_us + board.clock["set_us"],
            "memory": _base64(board.sleep.memory),
            "woken_by": board.sleep.woken_by,
        }


class CardSys:
    """The module `sys` with the card's own standard input and output."""

    def __init__(self):
        stream = Stream()
        self.stdin = Console(sys.stdin, stream)
        self.stdout = Console(sys.stdout, stream)

    def __getattr__(self, name):
        return getattr(sys, name)


class CardMicropython:
    """The module `micropython` with the interrupt character of the card's own line."""

    def __init__(self):
        self.kbd_intr = board.line.set_interrupt  # a method of this object could not be imported

    def __getattr__(self, name):
        return getattr(micropython, name)


def _base64(data):
    return binascii.b2a_base64(data).decode().strip()


def _controls(descriptor):
    """What begins to look at a person's hands; not loaded without any, for this heap is the card's as well."""
    if descriptor is None:
        return None
    from emulator.controls import Controls

    return lambda script: Controls(descriptor, script)


def switch_on(config, reporter):
    if config["wiring"]:
        board.wire(config["wiring"])
    board.reset(
        flash_path=config["flash"],
        microphone_path=config["microphone"],
        microphone_grows=config["microphone_grows"],
        seed=config["seed"],
        realtime=config["realtime"],
        worst_case_flash=config["worst_case_flash"],
        cut_at=config["cut_at"],
        flash_log=reporter.flash if config["log_flash"] else None,
        dc=config["dc"],
        display_height=config["display_height"],
        on_screen=reporter.screen if config["screens"] else None,
        serial_masters=config["serial_masters"],
        uart_copy=config["uart_copy"],
        usb_port=config["carrier"] == "usb",
        usb_bytes_per_s=config["usb_bytes_per_s"],
        parent=reporter.stream,
        battery_millivolts=config["battery_millivolts"],
        cause=config["reset_cause"],
        on_power_off=reporter.off,
        calendar_us=config["calendar_us"],
        memory=binascii.a2b_base64(config["memory"]),
        woken_by=config["woken_by"],
        signal_hook=reporter.signal if config["signals"] else None,
    )
    if board.usb is None:
        del machine.USBDevice  # a firmware without it
    keys = {name: board.key(name) for name in board.KEY_PINS}
    reporter.script = Script(config["steps"], keys, reporter.emit, bool(config["soft"]), _controls(config["controls"]))
    random.seed(int.from_bytes(board.entropy.bytes(3), "little"))


def mount(partition):
    """As the port's _boot.py and inisetup.py do it: a partition that begins blank gets a file system, any other is left alone.

    Returns False where the board would go on telling, for ever, that its file system is corrupted."""
    # No modification times: they would be those of the host's clock.
    options = {"readsize": 32, "progsize": 32, "lookahead": 32}
    try:
        vfs.mount(vfs.VfsLfs2(partition, mtime=False, **options), "/")
    except OSError:
        first = bytearray(partition.ioctl(_BLOCK_SIZE, 0))
        partition.readblocks(0, first)
        if any(byte != 0xFF for byte in first):
            return False
        vfs.VfsLfs2.mkfs(partition, **options)
        vfs.mount(vfs.VfsLfs2(partition, mtime=False, **options), "/")
        with open("/boot.py", "w") as file:
            file.write("# This file is executed on every boot (including wake-boot from deepsleep)\n")
    return True


def mount_card(native, reporter):
    """From here on the card sees what it sees on the board: its flash, the frozen modules and the stand-ins."""
    if native:
        from emulator.foreign import stand_in

        sys.modules["vfs"] = stand_in(native["modules"], native["sources"])
    vfs.umount("/")
    partition = esp32.Partition.find(esp32.Partition.TYPE_DATA, label="vfs")[0]
    if not mount(partition):
        reporter.off("corrupt")
    os.chdir("/")
    sys.path[:] = ["", ".frozen", "/lib"]
    for name in list(sys.modules):
        if name.startswith("emulator"):
            del sys.modules[name]
    sys.modules["sys"] = CardSys()
    sys.modules["micropython"] = CardMicropython()


def run_card(names, soft):
    """boot.py and main.py, whose names are those of the prompt. A program that resets softly out of the raw prompt wants no main.py."""
    names.clear()
    names["__name__"] = "__main__"
    for file in ("boot.py",) if soft == "raw" else ("boot.py", "main.py"):
        if file in os.listdir("/"):
            with open(file) as source:
                code = compile(source.read(), file, "exec")
            exec(code, names)


def show_prompt(keyboard, reporter):
    """At the prompt: until a host comes to see it only the world goes on."""
    if keyboard is None:
        board.world.wait(None)
    reporter.emit("prompt")
    board.world.wait(None, lambda: board.line.is_repl() and board.line.opened())
    Prompt(keyboard, reporter.soft_reset).begin()


def take_config(path):
    """The configuration of this start. After a soft reset the host writes it only now."""
    folder, name = path.rsplit("/", 1)
    for _ in range(_CONFIG_WAIT_MS * 1000 // _CONFIG_POLL_US):
        if name in os.listdir(folder):
            with open(path) as file:
                config = json.load(file)
            os.remove(path)
            return config
        utime.sleep_us(_CONFIG_POLL_US)
    raise SystemExit(1)


def live(path, names):
    """Run the card of a configuration. `names`: the dictionary of the interpreter's prompt. Returns when that is to be shown."""
    os.unsetenv("MICROPYINSPECT")
    config = take_config(path)
    reporter = Reporter(config["events"])
    switch_on(config, reporter)
    mount_card(config["native"], reporter)
    gc.collect()
    reporter.emit("booted", emulator_heap_bytes=gc.mem_alloc())
    try:
        run_card(names, config["soft"])
    except SystemExit:
        reporter.off("reset")
    except BaseException as error:
        sys.print_exception(error, sys.stderr)
        if not board.watchdog:
            reporter.off("crash")
        reporter.crashed = True
        board.world.wait(None)  # at the prompt, where nothing feeds the watchdog
    show_prompt(config["keyboard"], reporter)
