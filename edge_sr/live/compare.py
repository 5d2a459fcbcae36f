"""Before and after in one picture: split, side by side, or their difference."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from edge_sr.errors import UsageError
from edge_sr.media.frame import Frame, Plane
from edge_sr.media.screen import rescale
from edge_sr.pipeline.shot import Shot

MODES = ("after", "before", "split", "side", "diff", "pair")
CHOICES = ("split", "side", "diff")  # of the command line
GAIN = 4  # how much a difference is amplified
LINE = 235  # luma of the divider


@dataclass
class View:
    """What a screen shows; changed by keys, the mouse, or the page."""

    mode: str = "after"
    divider: float = 0.5  # share of the width where split changes from before to after
    overlay: bool = True


def compose(shot: Shot, mode: str, *, divider: float = 0.5, width: int | None = None) -> Frame:
    """One frame that shows a shot; before is bicubic. "pair" has before above after.

    Args:
        divider: 0 to 1.
        width: of each picture, at most; None for the upscaled size.

    Raises:
        UsageError: no such mode.
    """
    if mode not in MODES:
        raise UsageError(f"view is {mode!r}; expected {', '.join(MODES)}")
    rows, columns = shot.after.y.shape
    wide = min(width or columns, columns) & ~1
    high = max(2, round(rows * wide / columns)) & ~1
    if mode == "after":
        return rescale(shot.after, wide, high)
    before = rescale(shot.before, wide, high)
    if mode == "before":
        return before
    after = rescale(shot.after, wide, high)
    if mode == "diff":
        grey = np.full(after.u.shape, 128, np.uint8)
        return replace(after, planes=(_difference(before.y, after.y), grey, grey))
    if mode == "split":
        return _split(before, after, divider)
    axis = 1 if mode == "side" else 0
    planes = [
        np.concatenate(pair, axis)
        for pair in ((before.y, after.y), (before.u, after.u), (before.v, after.v))
    ]
    return replace(after, planes=(planes[0], planes[1], planes[2]))


def _difference(before: Plane, after: Plane) -> Plane:
    """Mid grey where both agree, brighter or darker where ours is; amplified."""
    apart = (after.astype(np.int16) - before) * GAIN + 126
    return np.asarray(np.clip(apart, 16, 235), np.uint8)


def _split(before: Frame, after: Frame, divider: float) -> Frame:
    columns = after.y.shape[1]
    at = round(min(max(divider, 0.0), 1.0) * columns) & ~1
    y, u, v = after.y.copy(), after.u.copy(), after.v.copy()
    y[:, :at] = before.y[:, :at]
    u[:, : at // 2], v[:, : at // 2] = before.u[:, : at // 2], before.v[:, : at // 2]
    y[:, max(at - 1, 0) : at + 1] = LINE
    return replace(after, planes=(y, u, v))
