"""Every screen with data that it may show: name, height in pixels, function of card/ui/screens.py (or test_card.py), its arguments.

Valid on MicroPython and CPython."""

_TALL = (
    ("idle", "idle", ("k3f92b", 12, 34, False, "87%")),
    ("idle, storage low", "idle", ("k3f92b", 128, 9, True, "USB")),
    ("recording speech", "recording", ("REC", 754, 60, True, 0, 123, "87%", "")),
    ("recording silence", "recording", ("REC", 59, 2, False, 3, 34, "87%", "")),
    ("recording for hours", "recording", ("REC", 5025, 30, True, 12, 34, "USB", "")),
    ("recording all day", "recording", ("REC", 43_199, 100, True, 99, 1, "5%", "")),
    ("storage low", "recording", ("REC", 2711, 40, True, 1, 4, "52%", "5 min left")),
    ("no sound comes", "recording", ("REC", 12, 0, False, 0, 34, "87%", "mic? check wires")),
    ("memo", "recording", ("MEMO", 7, 45, True, 0, 34, "87%", "")),
    ("paused", "standing", ("paused", 754, "hold REC: go on")),
    ("off the record", "standing", ("off the record", 3661, "tap MEMO: go on")),
    ("plugged in", "connected", ("k3f92b", 0, 0)),
    ("transferring", "connected", ("k3f92b", 210, 330)),
    ("storage full", "notice", ("storage full", "plug in, sync")),
    ("battery low", "notice", ("battery low", "plug in")),
    ("no microphone", "notice", ("no microphone", "check wiring")),
    ("safe mode", "notice", ("safe mode", "plug in")),
    ("asleep", "notice", ("asleep", "any key wakes")),
    ("page storage", "page", ("storage", 1, 5, ("34 min left", "12 recordings", "50% clean"))),
    ("page battery", "page", ("battery", 2, 5, ("on battery", "87%  4.08 V", "7 hours left"))),
    ("page clock", "page", ("clock", 3, 5, ("2026-11-22", "05:09", "within 1 s"))),
    ("page last", "page", ("last", 4, 5, ("number 12", "0:34:12", "in library"))),
    ("page version", "page", ("card k3f92b", 5, 5, ("firmware 0.1.0", "start 41"))),
    ("resting", "resting", (5, True)),
    ("test card", "test_card", ()),
)
_LOW = (
    "idle",
    "recording speech",
    "recording for hours",
    "recording all day",
    "storage low",
    "paused",
    "transferring",
    "storage full",
    "page battery",
    "test card",
)

CASES = [(name, 64, function, arguments) for name, function, arguments in _TALL]
CASES += [(name + ", 32 lines", 32, function, arguments) for name, function, arguments in _TALL if name in _LOW]
