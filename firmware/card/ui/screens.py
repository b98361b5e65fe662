"""The screens: pure functions that draw plain data on a frame buffer, 128 wide and 64 or 32 high.

They use fill, fill_rect, rect, hline and text in letters of 8 by 8, which MicroPython's frame buffer and Adafruit's have alike:
text is at most 16 letters wide."""

from micropython import const

_WIDTH = const(128)
_LETTER = const(8)
_GAP = const(2)  # between digits


def idle(fb, card, recordings, minutes_left, is_low, power):
    """`is_low`: room is running out; `power`: a word on where it comes from, "87%" or "USB"."""
    _title(fb, card, power)
    if fb.height < 64:
        _centred(fb, "press REC", 13)
    else:
        _centred(fb, "press REC", 22)
        _centred(fb, "%d recording%s" % (recordings, "" if recordings == 1 else "s"), 38)
    _line(fb, "%d min left" % minutes_left, fb.height - 10, is_low)


def recording(fb, sign, elapsed_s, level, speech, marks, minutes_left, power, warning):
    """`sign`: REC or MEMO; `level` 0 to 100; `speech`: whether the gate hears any; `warning` takes the place of both, if there is one."""
    fb.fill(0)
    fb.fill_rect(0, 0, 8, 8, 1)
    fb.text(sign, 12, 0, 1)
    if marks:
        fb.text("*%d" % marks, 12 + (len(sign) + 1) * _LETTER, 0, 1)
    _right(fb, power, 0)
    if fb.height < 64:
        _elapsed(fb, elapsed_s, 9, 0)
        if elapsed_s < 36_000:  # then there is no room beside it
            _right(fb, "speech" if speech else "quiet", 10)
            _right(fb, "%dm" % minutes_left, 20)
        _meter(fb, 29, 3, level)
        if warning:
            fb.fill_rect(0, 0, _WIDTH, 8, 1)
            _centred(fb, warning, 0, 0)
        return
    _elapsed(fb, elapsed_s, 12)
    if warning:
        _line(fb, warning, 54, True)
        return
    _meter(fb, 46, 6, level)
    if speech:
        fb.fill_rect(0, 55, 8 * _LETTER, 9, 1)
    fb.text("speech" if speech else "quiet", 8, 56, 0 if speech else 1)
    _right(fb, "%d min" % minutes_left, 56)


def standing(fb, title, elapsed_s, hint):
    """A recording of which nothing is kept now: why, and how it goes on."""
    fb.fill(0)
    _line(fb, title, 0, True)
    if fb.height < 64:
        _elapsed(fb, elapsed_s, 12, 0)
        return
    _elapsed(fb, elapsed_s, 16)
    _centred(fb, hint, 54)


def connected(fb, card, done, total):
    """A host is at work: `done` of `total` sectors of a recording are on their way to it, if there are any."""
    _title(fb, card, "USB")
    if not total:
        _centred(fb, "connected", fb.height // 2)
        return
    _centred(fb, "sending", 14 if fb.height < 64 else 18)
    _meter(fb, fb.height // 2 + 7, 8, 100 * done // total)
    if fb.height == 64:
        _centred(fb, "%d of %d kB" % (4 * done, 4 * total), 54)


def notice(fb, title, remedy):
    """Something the owner must know: what is wrong, and what to do about it."""
    fb.fill(0)
    if fb.height < 64:
        _line(fb, title, 0, True)
        _centred(fb, remedy, 18)
        return
    fb.fill_rect(0, 0, _WIDTH, 20, 1)
    _centred(fb, title, 6, 0)
    _centred(fb, remedy, 38)


def page(fb, title, number, pages, lines):
    """A page of the status: as many lines as fit."""
    _title(fb, title, "%d/%d" % (number, pages))
    for row, line in enumerate(lines[: 2 if fb.height < 64 else 4]):
        fb.text(line, 0, 14 + row * (10 if fb.height < 64 else 13), 1)


def resting(fb, place, lit):
    """Dark, but for a dot that comes and goes while a recording runs, each time elsewhere: nothing burns in."""
    fb.fill(0)
    if lit:
        fb.fill_rect(place * 37 % (_WIDTH - 2), place * 23 % (fb.height - 2), 2, 2, 1)


def _title(fb, left, right):
    fb.fill(0)
    fb.text(left, 0, 0, 1)
    _right(fb, right, 0)
    fb.hline(0, 10, _WIDTH, 1)


def _line(fb, text, y, inverted):
    if inverted:
        fb.fill_rect(0, y, _WIDTH, 10, 1)
    _centred(fb, text, y + 1, 0 if inverted else 1)


def _right(fb, text, y):
    fb.text(text, _WIDTH - _LETTER * len(text), y, 1)


def _centred(fb, text, y, colour=1):
    fb.text(text, (_WIDTH - _LETTER * len(text)) // 2, y, colour)


def _meter(fb, y, height, percent):
    fb.rect(0, y, _WIDTH, height, 1)
    fb.fill_rect(0, y, _WIDTH * percent // 100, height, 1)


def digits_for(height):
    """The digits of a display so high; a card has one display, and room for one size."""
    if height < 64:
        from . import digits_small

        return digits_small
    from . import digits_large

    return digits_large


def _elapsed(fb, seconds, y, x=None):
    """Minutes and seconds, with hours from the first one on; centred unless `x` says where."""
    text = "%d:%02d" % (seconds // 60, seconds % 60)
    if seconds >= 3600:
        text = "%d:%02d:%02d" % (seconds // 3600, seconds // 60 % 60, seconds % 60)
    digits = digits_for(fb.height)
    dot = digits.HEIGHT // 8
    colons = text.count(":")
    width = (len(text) - colons) * (digits.WIDTH + _GAP) + colons * (dot + 2 * _GAP) - _GAP
    if width > _WIDTH:  # from ten hours on
        _centred(fb, text, y + digits.HEIGHT // 2 - 4)
        return
    if x is None:
        x = (_WIDTH - width) // 2
    for sign in text:
        if sign == ":":
            fb.fill_rect(x + _GAP // 2, y + digits.HEIGHT * 2 // 7, dot, dot, 1)
            fb.fill_rect(x + _GAP // 2, y + digits.HEIGHT * 5 // 7, dot, dot, 1)
            x += dot + 2 * _GAP
        else:
            _boxes(fb, digits.BOXES[ord(sign) - 48], x, y)
            x += digits.WIDTH + _GAP


def _boxes(fb, boxes, x, y):
    for at in range(0, len(boxes), 4):
        fb.fill_rect(x + boxes[at], y + boxes[at + 1], boxes[at + 2], boxes[at + 3], 1)
