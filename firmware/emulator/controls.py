"""A person's hands as they move: lines of JSON from a pipe, looked at every few milliseconds of the world's time."""

import json

import uselect

from emulator import board

LOOK_US = 20_000
SHORTEST_PRESS_US = 80_000  # a card that was busy sees both ends of a press at once
_READ_BYTES = 256


class Controls:
    """Lists of a word and its arguments: ["down", KEY], ["up", KEY], ["battery", mV], ["mic", WORD or null], ["plug"], ["unplug"],
    ["cut"]. `script` does what the cable does."""

    def __init__(self, descriptor, script):
        self._file = open(descriptor, "rb")
        self._poller = uselect.poll()
        self._poller.register(self._file, uselect.POLLIN)
        self._script = script
        self._pending = b""
        self._pressed_us = {}  # key: when it went down
        self._look()

    def _look(self):
        while self._poller.poll(0):
            data = self._file.read(_READ_BYTES)
            if not data:
                break
            self._pending += data
        *lines, self._pending = self._pending.split(b"\n")
        for line in lines:
            self._move(*json.loads(line))
        board.world.at(board.world.now_us + LOOK_US, self._look)

    def _move(self, word, *arguments):
        if word == "down":
            self._pressed_us[arguments[0]] = board.world.now_us
            self._turn(arguments[0], 0)
        elif word == "up":
            due_us = self._pressed_us.pop(arguments[0], 0) + SHORTEST_PRESS_US
            board.world.at(max(due_us, board.world.now_us), lambda: self._turn(arguments[0], 1))
        elif word == "battery":
            board.battery_mv = arguments[0]
        elif word == "mic":
            board.microphone.broken = arguments[0]
        elif word == "plug":
            if not board.line.has_cable():
                self._script.plug_in()
        elif word == "unplug":
            if board.line.has_cable():
                self._script.pull_out()
        elif word == "cut":
            board.power_off("cut")

    def _turn(self, name, level):
        key = board.key(name)
        if key.level != level:
            key.move(level)
            self._script.keep(name, not level)
