"""The screens: pure functions that draw plain data on a 128x64 frame buffer."""

_WIDTH = 128
_DIGIT_WIDTH, _DIGIT_HEIGHT, _STROKE = 17, 30, 4
_DIGIT_PITCH = _DIGIT_WIDTH + 4
_COLON_PITCH = 8
# Lit strokes of each digit: top, upper left, upper right, middle, lower left, lower right, bottom.
_STROKES = (
    "1110111",
    "0010010",
    "1011101",
    "1011011",
    "0111010",
    "1101011",
    "1101111",
    "1010010",
    "1111111",
    "1111011",
)


def idle(fb, card, recordings, minutes_left):
    fb.fill(0)
    _title(fb, card, "%d min" % minutes_left)
    _centred(fb, "press REC", 28)
    _centred(fb, "%d recording%s" % (recordings, "" if recordings == 1 else "s"), 52)


def recording(fb, elapsed_s, level, speech, marks, seconds_left, warn):
    """`level` is 0 to 100; `speech` says whether the gate hears any; `warn` shows the time left large, in place of both."""
    fb.fill(0)
    fb.fill_rect(0, 0, 8, 8, 1)
    fb.text("REC", 12, 0, 1)
    if marks:
        fb.text("*%d" % marks, 44, 0, 1)
    _elapsed(fb, elapsed_s, 13)
    if warn:
        fb.fill_rect(0, 47, _WIDTH, 17, 1)
        _centred(fb, "%d min left" % ((seconds_left + 59) // 60), 52, 0)
        return
    _right(fb, "%d min" % (seconds_left // 60), 0)
    fb.rect(0, 48, _WIDTH, 5, 1)
    fb.fill_rect(0, 48, _WIDTH * level // 100, 5, 1)
    fb.text("speech" if speech else "silence", 0, 56, 1)


def connected(fb, card, sent_sectors):
    fb.fill(0)
    _title(fb, card, "USB")
    _centred(fb, "sending" if sent_sectors else "connected", 28)
    if sent_sectors:
        _centred(fb, "%d kB" % (sent_sectors * 4), 44)


def notice(fb, title, remedy):
    """Something the owner must know: what is wrong, and what to do about it."""
    fb.fill(0)
    fb.fill_rect(0, 0, _WIDTH, 20, 1)
    _centred(fb, title, 6, 0)
    _centred(fb, remedy, 38)


def _title(fb, left, right):
    fb.text(left, 0, 0, 1)
    _right(fb, right, 0)
    fb.hline(0, 11, _WIDTH, 1)


def _right(fb, text, y):
    fb.text(text, _WIDTH - 8 * len(text), y, 1)


def _centred(fb, text, y, colour=1):
    fb.text(text, (_WIDTH - 8 * len(text)) // 2, y, colour)


def _elapsed(fb, seconds, y):
    """Minutes and seconds, with hours from the first one on, centred."""
    text = "%d:%02d" % (seconds // 60, seconds % 60)
    if seconds >= 3600:
        text = "%d:%02d:%02d" % (seconds // 3600, seconds // 60 % 60, seconds % 60)
    if len(text) > 6:  # too wide for large digits
        _centred(fb, text, y + 11)
        return
    width = sum(_COLON_PITCH if c == ":" else _DIGIT_PITCH for c in text)
    x = (_WIDTH - width) // 2
    for c in text:
        if c == ":":
            fb.fill_rect(x + 1, y + 8, 4, 4, 1)
            fb.fill_rect(x + 1, y + 18, 4, 4, 1)
            x += _COLON_PITCH
        else:
            _digit(fb, ord(c) - 48, x, y)
            x += _DIGIT_PITCH


def _digit(fb, digit, x, y):
    w, h, s = _DIGIT_WIDTH, _DIGIT_HEIGHT, _STROKE
    half = (h + s) // 2
    lower = y + (h - s) // 2
    boxes = (
        (x, y, w, s),
        (x, y, s, half),
        (x + w - s, y, s, half),
        (x, lower, w, s),
        (x, lower, s, h - (lower - y)),
        (x + w - s, lower, s, h - (lower - y)),
        (x, y + h - s, w, s),
    )
    for lit, box in zip(_STROKES[digit], boxes):
        if lit == "1":
            fb.fill_rect(*box, 1)
