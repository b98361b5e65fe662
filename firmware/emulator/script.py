"""The owner's hands: a list of steps that happen one after the other in the world's time."""

from emulator import board
from emulator.chip import PWRON_RESET

BOOT_US = 2_000_000  # from power-on until the owner's first move
PRESS_US, BETWEEN_TAPS_US = 80_000, 150_000
SETTLE_US, REACH_US = 150_000, 600_000  # before the next move of a hand: on a key, and for the cable
NO_MICROPHONE_US = 60_000_000
_LONGEST_HOLD_US = 300_000_000
_FOREVER_US = 1 << 50


class Script:
    """`steps`: lists of a word and its arguments: ["tap", KEY], ["double", KEY], ["hold", KEY, µs], ["wait", µs],
    ["until mic-end"], ["hang mic"], ["break mic", WORD], ["battery", mV], ["plug"], ["plugged"], ["unplug"], ["serve"], ["cut"],
    ["live"]; and ["down", KEY, µs], first of all, for a key that has woken the card. `keys`: by name.

    `plug` waits until a host has come and gone, `plugged` does not, and `serve` is the last. A `hold` that is the first step is
    there when the power comes on. `live` leaves the rest to a person: `controls(script)` begins to look at the hands.
    `emit(event, **fields)`: tells. `goes_on`: after a soft reset, with the cable where it is."""

    def __init__(self, steps, keys, emit, goes_on=False, controls=None):
        self._steps = list(steps)
        self._keys = keys
        self._emit = emit
        self._plugs = 0
        self._controls = controls
        self._cable = []  # the step that brings the cable to where it is now
        self._held = {}  # key: until when
        self._next_us = 0
        if goes_on:
            self._go_on()
        else:
            while self._steps and self._steps[0][0] == "down":
                self._keep_down(*self._steps.pop(0)[1:])
            held = board.reset_cause == PWRON_RESET and self._steps and self._steps[0][0] == "hold"
            is_live = self._steps and self._steps[0][0] == "live"
            board.world.at(0 if held or is_live else BOOT_US, self._next)

    def _go_on(self):
        """Take the cable as it is: the host knows of it."""
        if self._steps and self._steps[0][0] in _CABLE:
            emit, self._emit = self._emit, _nothing
            self._next()
            self._emit = emit
        else:
            self._after(0)

    def remaining(self):
        """The steps that a card which restarts now still has before it: the cable as it is, the rest of a wait, and the others.

        What waits for the microphone's end has then waited in vain: its sound starts over."""
        now_us = board.world.now_us
        left_us = self._next_us - now_us
        held = [(key, min(until_us - now_us, _LONGEST_HOLD_US)) for key, until_us in self._held.items()]
        down = [["down", key, left_us] for key, left_us in held if left_us > 0]
        woken = down if board.sleep.asleep else []  # of what restarts otherwise, a hand lets go
        return woken + self._cable + ([["wait", left_us]] if left_us > 0 else []) + self._steps

    def _next(self):
        if not self._steps:
            board.power_off("end")
            return
        word, *arguments = self._steps.pop(0)
        _STEPS[word](self, *arguments)

    def _after(self, us):
        self._next_us = board.world.now_us + us
        board.world.at(self._next_us, self._next)

    def _move(self, key, level, after_us):
        board.world.at(board.world.now_us + after_us, lambda: self._keys[key].move(level))

    def _keep_down(self, key, us):
        self._keys[key].level = 0
        self._held[key] = us
        self._move(key, 1, us)

    def _hold(self, key, us):
        self._held[key] = board.world.now_us + us
        self._move(key, 0, 0)
        self._move(key, 1, us)
        self._leave_key(us)

    def _tap(self, key):
        self._hold(key, PRESS_US)

    def _double(self, key):
        self._move(key, 0, 0)
        self._move(key, 1, PRESS_US)
        self._move(key, 0, PRESS_US + BETWEEN_TAPS_US)
        self._move(key, 1, 2 * PRESS_US + BETWEEN_TAPS_US)
        self._leave_key(2 * PRESS_US + BETWEEN_TAPS_US)

    def _leave_key(self, us):
        """Go on once it has been let go, which is in so long."""
        cable = self._steps and self._steps[0][0] in _CABLE
        self._after(us + (REACH_US if cable else SETTLE_US))

    def _until_mic_end(self):
        board.microphone.on_end(self._next)
        board.world.at(board.world.now_us + NO_MICROPHONE_US, self._need_microphone)

    def _need_microphone(self):
        if not board.microphone.started():
            board.power_off("deaf")

    def _hang_mic(self):
        board.microphone.hang()
        self._after(0)

    def _break_mic(self, word):
        """A wire is off: from now on each word is that one; 0 for data that is pulled down, all ones but the sign for pulled up."""
        board.microphone.broken = word
        self._after(0)

    def _plug(self):
        self._connect("plug", self._let_go)

    def _let_go(self):
        board.line.expect_nobody()
        self._cable = [["plugged"]]
        self._after(0)

    def _stay_plugged(self):
        if self._connect("plugged", _nothing):
            board.line.expect_nobody()
            self._after(0)

    def _serve(self):
        self._connect("serve", _nothing)

    def _connect(self, word, on_let_go):
        self._cable = [[word]]
        if board.sleep.asleep:  # it wakes the card, and a host finds that when it has started
            board.line.bring_power()
            return False
        board.line.plug(on_let_go)
        self._emit("plugged", serial=self._plugs)
        self._plugs += 1
        return True

    def _unplug(self):
        self.pull_out()
        self._after(0)

    def _battery(self, millivolts):
        board.battery_mv = millivolts
        self._after(0)

    def _live(self):
        self._steps.insert(0, ["live"])  # the card's next start, too
        self._controls(self)

    def keep(self, key, down):
        """A person holds a key, or lets it go: a card that wakes finds it so, for a moment at least."""
        self._held[key] = board.world.now_us + (_FOREVER_US if down else 0)

    def plug_in(self):
        """A person brings a cable; with too many of them there is no terminal left."""
        if board.sleep.asleep or board.line.masters():
            self._connect("plugged", _nothing)

    def pull_out(self):
        board.line.unplug()
        self._cable = []
        self._emit("unplugged")

    def _cut(self):
        board.power_off("cut")


def _nothing(*arguments, **fields):
    pass


_CABLE = ("plug", "plugged", "serve")
_STEPS = {
    "tap": Script._tap,
    "double": Script._double,
    "hold": Script._hold,
    "wait": Script._after,
    "until mic-end": Script._until_mic_end,
    "hang mic": Script._hang_mic,
    "break mic": Script._break_mic,
    "battery": Script._battery,
    "plug": Script._plug,
    "plugged": Script._stay_plugged,
    "unplug": Script._unplug,
    "serve": Script._serve,
    "cut": Script._cut,
    "live": Script._live,
}
