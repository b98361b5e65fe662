"""What each gesture does in each state: the table of README.md. `app.py` tells the state and does the actions."""

IDLE, RECORDING, PAUSED, WITHHELD, MEMO = "idle", "recording", "paused", "off the record", "memo"
TRANSFERRING, BUSY = "transferring", "busy"
STORAGE_LOW, STORAGE_FULL, BATTERY_LOW = "storage low", "storage full", "battery low"
FAULT, SAFE_MODE = "fault", "safe mode"

GESTURES = (
    "rec tap",
    "rec hold",
    "rec release",
    "memo tap",
    "memo long",
    "memo hold",
    "memo release",
    "both hold",
)
START, STOP, PAUSE, RESUME, MARK, WITHHOLD = "start", "stop", "pause", "resume", "mark", "withhold"
START_MEMO, LET_GO, PAGE, REFUSE = "start_memo", "let_go", "page", "refuse"
ENTER_SAFE_MODE, RESTART = "enter_safe_mode", "restart"

_READY = (START, START, None, PAGE, START_MEMO, None, None, ENTER_SAFE_MODE)
_REFUSING = (REFUSE, REFUSE, None, PAGE, REFUSE, None, None, ENTER_SAFE_MODE)
_TABLE = {
    IDLE: _READY,
    TRANSFERRING: _READY,
    STORAGE_LOW: _READY,
    STORAGE_FULL: _READY,  # starting makes room first, if it may
    BATTERY_LOW: _REFUSING,
    FAULT: _REFUSING,
    BUSY: (None, None, None, LET_GO, None, None, LET_GO, None),
    RECORDING: (STOP, PAUSE, None, MARK, None, WITHHOLD, None, ENTER_SAFE_MODE),
    PAUSED: (STOP, RESUME, None, MARK, None, None, None, ENTER_SAFE_MODE),
    WITHHELD: (STOP, None, None, RESUME, None, None, None, ENTER_SAFE_MODE),
    MEMO: (STOP, STOP, None, STOP, None, None, STOP, ENTER_SAFE_MODE),
    SAFE_MODE: (None, None, None, None, None, None, None, RESTART),
}


def action(state, key, gesture):
    """The action's name, or None. What is no gesture of the table does nothing."""
    told = key + " " + gesture
    return _TABLE[state][GESTURES.index(told)] if told in GESTURES else None
