"""The test card: what is shifted, mirrored, torn or missing on a display is seen at a glance."""

from micropython import const

_LETTER = const(8)
_FIELD = const(4)  # of the chequers


def test_card(fb):
    """A frame along all four edges, a scale above and below, chequers on the left, a full field on the right, text between them."""
    width, height = fb.width, fb.height
    fb.fill(0)
    fb.rect(0, 0, width, height, 1)
    for x in range(0, width, 8):
        fb.fill_rect(x, 3 if x % 16 else 2, 1, 3, 1)
        fb.fill_rect(x, height - 5, 1, 3, 1)
    at = height // 2 - _LETTER // 2
    fb.text("TEST CARD", (width - 9 * _LETTER) // 2, at, 1)
    for y in range(at - 2, at + _LETTER + 2, _FIELD):
        for x in range(4, 4 + 4 * _FIELD, _FIELD):
            if (x + y) // _FIELD % 2:
                fb.fill_rect(x, y, _FIELD, _FIELD, 1)
    fb.fill_rect(width - 4 - 4 * _FIELD, at - 2, 4 * _FIELD, _LETTER + 4, 1)
