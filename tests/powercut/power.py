"""The real firmware on an emulated board whose flash is memory: switched on and off as often as wanted in one process.

Runs inside MicroPython; `prepare` first. The card sees what it sees under `voicecard emulate`, but for a display, which it does without."""

import builtins
import io
import os
import random
import sys

import vfs

HOST = "/host"  # where the host's files stand once the card has mounted its own root
MOST_MOUNTS = 3
VFS_OPTIONS = {"readsize": 32, "progsize": 32, "lookahead": 32}

_open = builtins.open
_opened = []  # files of the card's run
_program = []  # boot.py and main.py, compiled once
_left_open = []  # files that a cut left open: never collected, for a finaliser would write to a flash that is gone


def prepare(firmware):
    """Put the board's stand-ins and the firmware (a folder's absolute path) on the path, and make the card's `sys`."""
    for name in ("boot.py", "main.py"):
        with _open(firmware + "/" + name) as source:
            _program.append(compile(source.read(), name, "exec"))
    vfs.mount(vfs.VfsPosix("/"), HOST)
    sys.path[:0] = [HOST + firmware + "/emulator/modules", HOST + firmware]
    for module in ("esp32", "machine", "os", "select", "time"):
        __import__(module)
    del sys.modules["machine"].USBDevice  # the visitor speaks over standard input and output
    from emulator.serial import Console, Stream

    class CardSys:
        stdin = Console(sys.stdin, Stream())
        stdout = Console(sys.stdout, Stream())

        def __getattr__(self, name):
            return getattr(sys, name)

    class CardGc:
        """What main.py does for a small heap while it compiles would only take time here, where all is compiled once."""

        def threshold(self, size):
            pass

        def collect(self):
            pass

        def mem_free(self):
            return 1 << 30

        def mem_alloc(self):
            return 0

    sys.modules["sys"] = CardSys()
    sys.modules["gc"] = CardGc()
    builtins.open = _open_for_card
    vfs.umount("/")


def _open_for_card(*arguments):
    file = _open(*arguments)
    _opened.append(file)
    return file


class Outcome:
    """How a run ended: `reason` is end, cut, what the board said, or crash; `error` what was raised, or None; `mounts` the
    number of times that the file system had to be mounted."""

    def __init__(self, reason, error, mounts):
        self.reason, self.error, self.mounts = reason, error, mounts


def run(cells, visit, seed, sound=None, cut_at=None, log=None):
    """Switch the card on and let it run until the visit (see visitor.py) is over or the power is gone."""
    import asyncio

    from emulator import board
    from emulator.world import PowerOff
    from visitor import Visitor

    def power_off(reason):
        board.flash.powered = False
        raise PowerOff(reason)

    board.reset(
        flash_path=cells, microphone_path=sound, seed=seed, cut_at=cut_at, flash_log=log, on_power_off=power_off
    )
    random.seed(int.from_bytes(board.entropy.bytes(3), "little"))
    visitor = Visitor(visit)
    board.line = board.world.line = visitor.line
    reason, error, mounts = "crash", None, 0
    path = sys.path[:]
    try:
        mounts = _mount()
        asyncio.new_event_loop()
        names = {"__name__": "__main__"}
        for code in _program:
            exec(code, names)
    except PowerOff as off:
        reason, error = off.args[0], visitor.error
    except BaseException as raised:
        error = raised
    sys.path[:] = path  # main.py chose a slot
    _let_go(PowerOff)
    return Outcome(reason, error, mounts)


def _mount():
    """Mount the card's root; returns how many times it took. littlefs reads a commit more than once and does not expect its bits to
    differ: then a board stops before its program starts, and its owner switches it on again."""
    for mounts in range(1, MOST_MOUNTS + 1):
        try:
            vfs.mount(vfs.VfsLfs2(_partition("vfs"), mtime=False, **VFS_OPTIONS), "/")
            return mounts
        except OSError:
            if mounts == MOST_MOUNTS:
                raise


def traceback(error):
    text = io.StringIO()
    sys.print_exception(error, text)
    return text.getvalue()


def format_vfs(cells, files):
    """Make the file system, with `files` (path: text) in it."""
    from emulator import board

    board.reset(flash_path=cells)
    vfs.VfsLfs2.mkfs(_partition("vfs"), **VFS_OPTIONS)
    vfs.mount(vfs.VfsLfs2(_partition("vfs"), mtime=False, **VFS_OPTIONS), "/")
    for path, text in files.items():
        for end in [at for at in range(1, len(path)) if path[at] == "/"]:
            try:
                os.mkdir(path[:end])
            except OSError:
                pass  # it is there
        with open(path, "w") as file:
            file.write(text)
    vfs.umount("/")


def _partition(label):
    import esp32

    return esp32.Partition.find(esp32.Partition.TYPE_DATA, label=label)[0]


def _let_go(power_off):
    """Unmount the card's root. The board is off: a file that cannot be closed any more is kept for good."""
    from emulator import board

    board.flash.powered = False
    for file in _opened:
        try:
            file.close()
        except power_off:
            _left_open.append(file)
    _opened.clear()
    try:
        vfs.umount("/")
    except OSError:
        pass  # the mount itself had failed
