"""Run a card: `micropython run.py CONFIG.json`. The host starts this; it tells the host what happens.

The configuration: `flash`, `microphone` (paths or null), `seed`, `realtime`, `worst_case_flash`, `cut_at`, `log_flash`,
`dc`, `display_height`, `screens`, `serial_masters`, `uart_copy`, `battery_millivolts`, `reset_cause`, `steps`, `events`.
To the file descriptor `events` go JSON lines: booted, plugged, unplugged, screen, flash (one operation), and in the end
`off` with a reason, the steps that are left for after a restart, and figures. Then the process waits to be killed: power
that is gone runs no clean-up."""
# ruff: noqa: E402, I001 - the stand-ins are found after sys.path is set

import binascii
import gc
import json
import random
import sys
import uselect
import vfs

_ROOT = sys.path[0].rsplit("/", 1)[0]
sys.path[:] = [_ROOT + "/emulator/modules", _ROOT, ".frozen"]

import esp32
import machine
import os
import select  # noqa: F401
import time  # noqa: F401

from emulator import board
from emulator.script import Script
from emulator.serial import Console, Stream

_ORPHAN_WAIT_MS = 10_000
_BLOCK_SIZE = 5  # the block protocol's request


class Reporter:
    """Tells the host side what happens."""

    def __init__(self, descriptor):
        self.stream = open(descriptor, "wb")
        self.script = None
        self.crashed = False

    def emit(self, event, **fields):
        fields["event"] = event
        self.stream.write(json.dumps(fields).encode() + b"\n")

    def flash(self, *operation):
        self.emit("flash", operation=operation)

    def screen(self, display, time_us):
        bits = binascii.b2a_base64(display.pixels()).decode().strip()
        self.emit("screen", time_us=time_us, height=display.height, bits=bits)

    def off(self, reason):
        """The last word: the power is gone, and the host ends this process."""
        board.display.settle()
        self.emit(
            "off",
            reason="crash" if self.crashed and reason == "end" else reason,
            steps=self.script.remaining(),
            time_us=board.world.now_us,
            samples_heard=board.audio["heard"],
            samples_lost=board.audio["lost"],
            dropped_callbacks=board.world.dropped_callbacks,
            flash_operations=board.flash.operations,
            flash={region.label: region.counts for region in board.flash.regions},
        )
        gone = uselect.poll()
        gone.register(self.stream, 0)
        gone.poll(_ORPHAN_WAIT_MS)
        raise SystemExit(1)


class CardSys:
    """The module `sys` with the card's own standard input and output."""

    def __init__(self):
        stream = Stream()
        self.stdin = Console(sys.stdin, stream)
        self.stdout = Console(sys.stdout, stream)

    def __getattr__(self, name):
        return getattr(sys, name)


def switch_on(config, reporter):
    board.reset(
        flash_path=config["flash"],
        microphone_path=config["microphone"],
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
    )
    if board.usb is None:
        del machine.USBDevice  # a firmware without it
    reporter.script = Script(config["steps"], {name: board.key(name) for name in board.KEY_PINS}, reporter.emit)
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


def mount_card(reporter):
    """From here on the card sees what it sees on the board: its flash, the frozen modules and the stand-ins."""
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


def run_card():
    """boot.py, main.py, and then nothing more, as at the prompt."""
    names = {"__name__": "__main__"}
    for file in ("boot.py", "main.py"):
        if file in os.listdir("/"):
            with open(file) as source:
                code = compile(source.read(), file, "exec")
            exec(code, names)
    board.world.wait(None)


def main():
    with open(sys.argv[1]) as file:
        config = json.load(file)
    reporter = Reporter(config["events"])
    switch_on(config, reporter)
    mount_card(reporter)
    gc.collect()
    reporter.emit("booted", emulator_heap_bytes=gc.mem_alloc())
    try:
        run_card()
    except SystemExit:
        reporter.off("reset")
    except BaseException as error:
        sys.print_exception(error, sys.stderr)
        if not board.watchdog:
            reporter.off("crash")
        reporter.crashed = True
        board.world.wait(None)  # at the prompt, where nothing feeds the watchdog


main()
