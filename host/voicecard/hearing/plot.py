"""Draw a sound with what was decided on it, on the true time axis."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from voicecard.device.emulated_microphone import RATE
from voicecard.errors import UsageError
from voicecard.hearing.replay import Hearing

_INCHES_A_SECOND, _WIDTH_INCHES = 0.2, (10.0, 60.0)
_COLUMNS_A_INCH = 100
_FULL_SCALE = 32768


def draw(hearing: Hearing, title: str, output: Path) -> None:
    """Write a PNG. Raises UsageError if the picture's library is missing or the file cannot be written."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UsageError("drawing needs matplotlib: install it with `pip install 'voicecard[plot]'`") from error

    length_s = len(hearing.samples) / RATE
    width = min(max(length_s * _INCHES_A_SECOND, _WIDTH_INCHES[0]), _WIDTH_INCHES[1])
    figure = Figure(figsize=(width, 4.2), layout="constrained")
    wave, decisions = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))

    columns = int(width * _COLUMNS_A_INCH)
    for start_s, end_s in _runs(hearing, hearing.kept):
        wave.axvspan(start_s, end_s, color="#cfe8cf", linewidth=0)
    low, high, at_s = _envelope(hearing.samples, columns)
    wave.fill_between(at_s, low, high, color="#30506f", linewidth=0.3)
    wave.set_ylim(-1, 1)
    wave.set_ylabel("sound")
    kept_s = hearing.seconds(hearing.kept)
    wave.set_title(f"{title}: the gate keeps {kept_s:.1f} of {length_s:.1f} s (green)")

    for start_s, end_s in _runs(hearing, hearing.speech):
        decisions.axvspan(start_s, end_s, color="#c05020", linewidth=0)
    decisions.set_yticks([])
    decisions.set_ylabel("speech")
    decisions.set_xlabel("seconds")
    decisions.set_xlim(0, length_s)
    try:
        figure.savefig(output, dpi=100, format="png")
    except OSError as error:
        raise UsageError(f"the picture {output} cannot be written ({error.strerror}): give another path") from error


def _runs(hearing: Hearing, frames: np.ndarray) -> list[tuple[float, float]]:
    """(start, end) in seconds of each unbroken run of frames."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], frames.astype(np.int8), [0]))))
    seconds = edges * hearing.frame_ms / 1000
    return list(zip(seconds[::2].tolist(), seconds[1::2].tolist(), strict=True))


def _envelope(samples: np.ndarray, columns: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lowest and highest sample of each column, and the columns' times in seconds."""
    starts = np.unique(np.linspace(0, len(samples), columns, endpoint=False).astype(np.int64))
    low = np.minimum.reduceat(samples, starts) / _FULL_SCALE
    high = np.maximum.reduceat(samples, starts) / _FULL_SCALE
    return low, high, starts / RATE
