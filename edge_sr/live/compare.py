"""Before and after in one picture: split, side by side, or their difference."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from edge_sr.errors import UsageError
from edge_sr.media.frame import Frame, Plane
from edge_sr.media.protocols import Sink, WrappedSink
from edge_sr.media.screen import rescale
from edge_sr.pipeline.shot import Shot, ShotSink

MODES = ("after", "before", "split", "side", "diff", "pair")
CHOICES = ("split", "side", "diff")  # of the command line
GAIN = 4  # how much a difference is amplified
LINE = 235  # luma of the divider


class Region(NamedTuple):
    """A rectangle of the upscaled picture, in its pixels."""

    left: int
    top: int
    width: int
    height: int

    def inside(self, columns: int, rows: int) -> Region:
        """The part of it that a picture has, with even sides and corners, 2 x 2 at least."""
        left = min(max(self.left, 0), columns - 2) & ~1
        top = min(max(self.top, 0), rows - 2) & ~1
        width = min(max(self.width + self.left - left, 2), columns - left) & ~1
        height = min(max(self.height + self.top - top, 2), rows - top) & ~1
        return Region(left, top, width, height)


@dataclass
class View:
    """What a screen shows; changed by keys, the mouse, or the page."""

    mode: str = "after"
    divider: float = 0.5  # share of the width where split changes from before to after
    overlay: bool = True


class Compared(WrappedSink, ShotSink):
    """Gives an output the comparison in the place of the result."""

    def __init__(self, sink: Sink, mode: str) -> None:
        """Wrap a sink; `mode` is one of `CHOICES`."""
        super().__init__(sink)
        self._mode = mode

    def show(self, shot: Shot) -> None:
        """Compose one frame and hand it on."""
        self._sink.write(compose(shot, self._mode))


def compose(
    shot: Shot,
    mode: str,
    *,
    divider: float = 0.5,
    width: int | None = None,
    region: Region | None = None,
    gain: int = GAIN,
) -> Frame:
    """One frame that shows a shot; before is bicubic. "pair" has before above after.

    Args:
        divider: 0 to 1.
        width: of each picture, at most; None for the upscaled size.
        region: the part to show, at full resolution where `width` allows; None for all of it.
        gain: how much a difference is amplified.

    Raises:
        UsageError: no such mode.
    """
    if mode not in MODES:
        raise UsageError(f"view is {mode!r}; expected {', '.join(MODES)}")
    rows, columns = shot.after.y.shape
    whole = Region(0, 0, columns, rows)
    part = whole if region is None else region.inside(columns, rows)
    wide = min(width or part.width, part.width) & ~1
    high = max(2, round(part.height * wide / part.width)) & ~1
    if mode == "after":
        return rescale(crop(shot.after, part), wide, high)
    before = rescale(crop(shot.enlarged, part), wide, high)
    if mode == "before":
        return before
    after = rescale(crop(shot.after, part), wide, high)
    if mode == "diff":
        grey = np.full(after.u.shape, 128, np.uint8)
        return replace(after, planes=(_difference(before.y, after.y, gain), grey, grey))
    if mode == "split":
        return _split(before, after, divider)
    axis = 1 if mode == "side" else 0
    planes = [
        np.concatenate(pair, axis)
        for pair in ((before.y, after.y), (before.u, after.u), (before.v, after.v))
    ]
    return replace(after, planes=(planes[0], planes[1], planes[2]))


def crop(frame: Frame, part: Region) -> Frame:
    """A part of a frame whose corner is even, as views; the frame itself where it is all of it."""
    rows, columns = frame.y.shape
    if part == (0, 0, columns, rows):
        return frame
    planes = []
    for number, plane in enumerate(frame.planes):
        x, y = (frame.format.chroma_x, frame.format.chroma_y) if number else (1, 1)
        top, left = part.top // y, part.left // x
        planes.append(plane[top : top + -(-part.height // y), left : left + -(-part.width // x)])
    color = frame.color.resized(rows, part.height)
    return replace(frame, planes=(planes[0], planes[1], planes[2]), color=color)


def _difference(before: Plane, after: Plane, gain: int) -> Plane:
    """Mid grey where both agree, brighter or darker where ours is; amplified."""
    apart = (after.astype(np.int16) - before) * gain + 126
    return np.asarray(np.clip(apart, 16, 235), np.uint8)


def _split(before: Frame, after: Frame, divider: float) -> Frame:
    columns = after.y.shape[1]
    at = round(min(max(divider, 0.0), 1.0) * columns) & ~1
    y, u, v = after.y.copy(), after.u.copy(), after.v.copy()
    y[:, :at] = before.y[:, :at]
    u[:, : at // 2], v[:, : at // 2] = before.u[:, : at // 2], before.v[:, : at // 2]
    y[:, max(at - 1, 0) : at + 1] = LINE
    return replace(after, planes=(y, u, v))
