"""The owner's hands: a list of steps that happen one after the other in the world's time."""

from emulator import board

BOOT_US = 2_000_000  # from power-on until the owner's first move
PRESS_US, BETWEEN_TAPS_US = 80_000, 150_000
SETTLE_US = 150_000  # before the owner's next move
NO_MICROPHONE_US = 60_000_000


class Script:
    """`steps`: lists of a word and its arguments: ["tap", KEY], ["double", KEY], ["hold", KEY, µs], ["wait", µs],
    ["until mic-end"], ["plug"], ["unplug"], ["serve"], ["cut"]. `keys`: by name. `emit(event, **fields)`: tells."""

    def __init__(self, steps, keys, emit):
        self._steps = list(steps)
        self._keys = keys
        self._emit = emit
        self._plugs = 0
        board.world.at(BOOT_US, self._next)

    def _next(self):
        if not self._steps:
            board.power_off("end")
            return
        word, *arguments = self._steps.pop(0)
        _STEPS[word](self, *arguments)

    def _after(self, us):
        board.world.at(board.world.now_us + us, self._next)

    def _move(self, key, level, after_us):
        board.world.at(board.world.now_us + after_us, lambda: self._keys[key].move(level))

    def _hold(self, key, us):
        self._move(key, 0, 0)
        self._move(key, 1, us)
        self._after(us + SETTLE_US)

    def _tap(self, key):
        self._hold(key, PRESS_US)

    def _double(self, key):
        self._move(key, 0, 0)
        self._move(key, 1, PRESS_US)
        self._move(key, 0, PRESS_US + BETWEEN_TAPS_US)
        self._move(key, 1, 2 * PRESS_US + BETWEEN_TAPS_US)
        self._after(2 * PRESS_US + BETWEEN_TAPS_US + SETTLE_US)

    def _until_mic_end(self):
        board.microphone.on_end(self._next)
        board.world.at(board.world.now_us + NO_MICROPHONE_US, self._need_microphone)

    def _need_microphone(self):
        if not board.microphone.started():
            board.power_off("deaf")

    def _plug(self):
        board.line.plug(self._let_go)
        self._emit("plugged", serial=self._plugs)
        self._plugs += 1

    def _let_go(self):
        board.line.expect_nobody()
        self._after(0)

    def _serve(self):
        board.line.plug(lambda: None)
        self._emit("plugged", serial=self._plugs)
        self._plugs += 1

    def _unplug(self):
        board.line.unplug()
        self._emit("unplugged")
        self._after(0)

    def _cut(self):
        board.power_off("cut")


_STEPS = {
    "tap": Script._tap,
    "double": Script._double,
    "hold": Script._hold,
    "wait": Script._after,
    "until mic-end": Script._until_mic_end,
    "plug": Script._plug,
    "unplug": Script._unplug,
    "serve": Script._serve,
    "cut": Script._cut,
}
