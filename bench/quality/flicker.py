"""What a result does from frame to frame that the truth does not, in grey levels."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.uint8]
Motion = Sequence[tuple[int, int] | None]

BLOCK = 16  # pixels a side
HOLDS = 2.0  # standard deviation of a block's pixels over time up to which it holds still
LEAST = 0.01  # share of the blocks that have to


def flicker(
    made: Sequence[Plane], truth: Sequence[Plane], motion: Motion | None, *, border: int
) -> float:
    """The mean over the frames; 0 where there is nothing to compare.

    Args:
        made, truth: uint8 (H, W) each.
        motion: for each frame (right, down), the pixels that the camera moved by since the one
            before, None at a cut: then it is the mean of |made - made before, moved by it| less
            the same of the truth. None where it is not known: the mean of
            |(made - truth) - (made before - truth before)|.
        border: pixels that are left out on each side.
    """
    found = []
    for number in range(1, len(made)):
        pairs = [(item[number], item[number - 1]) for item in (made, truth)]
        (new, old), (right, before) = (
            [plane[border:-border, border:-border].astype(np.int16) for plane in pair]
            for pair in pairs
        )
        if motion is None:
            found.append(float(np.abs((new - right) - (old - before)).mean()))
            continue
        step = motion[number]
        if step is not None:
            found.append(_change(new, old, step) - _change(right, before, step))
    return float(np.mean(found)) if found else 0.0


def still_deviation(
    made: Sequence[Plane], truth: Sequence[Plane], *, cuts: Sequence[int], border: int
) -> float | None:
    """Standard deviation over time of a result's pixels where the truth holds still.

    Blocks of 16x16 count whose pixels have one of 2 levels at most in the truth, on average;
    None where hardly any block has.

    Args:
        made, truth: uint8 (H, W) each.
        cuts: numbers of the frames where another scene begins.
        border: as for `flicker`.
    """
    edges = sorted({0, *cuts, len(made)})
    total, blocks, everything = 0.0, 0, 0
    for first, last in pairwise(edges):
        if last - first < 3:
            continue
        own, rights = (_deviations(item[first:last], border) for item in (made, truth))
        still = rights <= HOLDS
        total += float(own[still].sum())
        blocks += int(still.sum())
        everything += still.size
    return total / blocks if blocks and blocks >= LEAST * everything else None


def _change(new: NDArray[np.int16], old: NDArray[np.int16], step: tuple[int, int]) -> float:
    """Mean absolute difference where both frames show the same."""
    x, y = step
    rows, columns = new.shape
    here = new[max(0, -y) : rows - max(0, y), max(0, -x) : columns - max(0, x)]
    there = old[max(0, y) : rows - max(0, -y), max(0, x) : columns - max(0, -x)]
    return float(np.abs(here - there).mean())


def _deviations(frames: Sequence[Plane], border: int) -> NDArray[np.float64]:
    """Of every whole block: its pixels' standard deviations over time, their mean."""
    stack = np.stack([frame[border:-border, border:-border] for frame in frames])
    rows, columns = (side // BLOCK for side in stack.shape[1:])
    spread = stack.std(axis=0)[: rows * BLOCK, : columns * BLOCK]
    return np.asarray(spread.reshape(rows, BLOCK, columns, BLOCK).mean(axis=(1, 3)))
