"""IMA ADPCM, decoded for many blocks at once.

The algorithm is that of the Interactive Multimedia Association's "Recommended Practices for Enhancing Digital Audio
Compatibility in Multimedia Systems" (1992), also known as DVI ADPCM. Every block starts from a state of its own, so the
loop runs over the positions within a block and NumPy over the blocks.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

MAX_STEP_INDEX = 88
_INDEX_CHANGES = (-1, -1, -1, -1, 2, 4, 6, 8)
# fmt: off
_STEPS = (
    7, 8, 9, 10, 11, 12, 13, 14, 16, 17, 19, 21, 23, 25, 28, 31, 34, 37, 41, 45, 50, 55, 60, 66, 73, 80, 88,
    97, 107, 118, 130, 143, 157, 173, 190, 209, 230, 253, 279, 307, 337, 371, 408, 449, 494, 544, 598, 658,
    724, 796, 876, 963, 1060, 1166, 1282, 1411, 1552, 1707, 1878, 2066, 2272, 2499, 2749, 3024, 3327, 3660,
    4026, 4428, 4871, 5358, 5894, 6484, 7132, 7845, 8630, 9493, 10442, 11487, 12635, 13899, 15289, 16818,
    18500, 20350, 22385, 24623, 27086, 29794, 32767,
)
# fmt: on


def decode(
    predictors: npt.NDArray[np.int16], step_indexes: npt.NDArray[np.uint8], codes: npt.NDArray[np.uint8]
) -> npt.NDArray[np.int16]:
    """Samples (blocks, 2 * bytes) of codes (blocks, bytes), two a byte, low half first.

    `predictors` and `step_indexes` (blocks,) are the state before each block's first sample; an index above 88
    counts as 88.
    """
    differences, next_rows = _tables()
    blocks, width = codes.shape
    by_position = np.ascontiguousarray(codes.T)
    samples = np.empty((2 * width, blocks), np.int16)
    value = predictors.astype(np.int32)
    row = np.minimum(step_indexes, MAX_STEP_INDEX).astype(np.intp) * 16
    cell = np.empty(blocks, np.intp)
    change = np.empty(blocks, np.int32)
    for position in range(2 * width):
        pair = by_position[position // 2]
        np.add(row, pair >> 4 if position % 2 else pair & 15, out=cell)
        differences.take(cell, out=change, mode="clip")
        next_rows.take(cell, out=row, mode="clip")
        value += change
        np.maximum(value, -32768, out=value)
        np.minimum(value, 32767, out=value)
        samples[position] = value
    return np.ascontiguousarray(samples.T)


@cache
def _tables() -> tuple[npt.NDArray[np.int32], npt.NDArray[np.intp]]:
    """For each step index and code (cell `16 * index + code`): the change of the value, and the row that follows."""
    step = np.array(_STEPS, np.int32)[:, np.newaxis]
    code = np.arange(16, dtype=np.int32)
    size = (step >> 3) + (step >> 2) * (code & 1) + (step >> 1) * (code >> 1 & 1) + step * (code >> 2 & 1)
    difference = np.where(code & 8, -size, size).astype(np.int32)
    index = np.arange(len(_STEPS), dtype=np.intp)[:, np.newaxis] + np.array(_INDEX_CHANGES * 2, np.intp)
    return difference.ravel(), (np.clip(index, 0, MAX_STEP_INDEX) * 16).ravel()
