"""The card's screen in letters: half blocks, of which one is two pixels, or quadrants of four where the terminal is narrow."""

from __future__ import annotations

WIDTH = 128
_HALVES = " ▀▄█"  # upper, lower
_QUADRANTS = " ▘▝▀▖▌▞▛▗▚▐▜▄▙▟█"  # upper left, upper right, lower left, lower right


def half_blocks(pixels: bytes) -> list[str]:
    """Lines of 128 letters of rows of 16 bytes, most significant bit first, 1 is light."""
    rows = _rows(pixels)
    return [
        "".join(_HALVES[upper[x] + 2 * lower[x]] for x in range(WIDTH))
        for upper, lower in zip(rows[::2], rows[1::2], strict=True)
    ]


def quadrants(pixels: bytes) -> list[str]:
    """The same in lines of 64 letters."""
    rows = _rows(pixels)
    return [
        "".join(_QUADRANTS[upper[x] + 2 * upper[x + 1] + 4 * lower[x] + 8 * lower[x + 1]] for x in range(0, WIDTH, 2))
        for upper, lower in zip(rows[::2], rows[1::2], strict=True)
    ]


def _rows(pixels: bytes) -> list[list[int]]:
    rows = [pixels[at : at + WIDTH // 8] for at in range(0, len(pixels), WIDTH // 8)]
    return [[byte >> 7 - bit & 1 for byte in row for bit in range(8)] for row in rows]
