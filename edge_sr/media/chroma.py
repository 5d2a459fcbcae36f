"""Resizing chroma so that colour stays where luma is."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np

from edge_sr.media.frame import Frame, Plane
from edge_sr.media.libraries import load_av
from edge_sr.media.planes import plane_view
from edge_sr.media.resample import MAX_PHASES, enlarge, resize_any, siting_offset


def resize_chroma(frame: Frame, width: int, height: int) -> tuple[Plane, Plane]:
    """u and v for a picture of `width` x `height` luma samples made from `frame`.

    uint8 (ceil(H/2), ceil(W/2)) becomes uint8 (ceil(height/2), ceil(width/2)), cubic, edges
    replicated, antialiased when it shrinks. The siting that the frame is tagged with is kept: the
    sample k of the result lies over the luma sample that it belongs to. Yours to keep.

    Raises:
        MissingDependencyError: OpenCV, Pillow or PyAV is not installed.
    """
    rows, columns = frame.y.shape
    x, y = siting_offset(frame.color.chroma_location)
    ratios = (Fraction(width, columns), Fraction(height, rows))
    size = ((width + 1) // 2, (height + 1) // 2)
    if ratios[0] == ratios[1] == 1:
        return frame.u.copy(), frame.v.copy()
    offsets = (_offset(ratios[0], x), _offset(ratios[1], y))
    resize = resize_any
    if min(ratios) > 1 and max(ratio.numerator for ratio in ratios) <= MAX_PHASES:
        resize = enlarge
    return resize(frame.u, size, ratios, offsets), resize(frame.v, size, ratios, offsets)


def resize_frame(frame: Frame, width: int, height: int) -> Frame:
    """A frame of another size, for targets that are not a model's scale: cubic, antialiased.

    Time and colour tags are kept, chroma stays over its luma. Yours to keep.

    Raises:
        MissingDependencyError: OpenCV, Pillow or PyAV is not installed.
    """
    u, v = resize_chroma(frame, width, height)
    color = frame.color.resized(frame.size.height, height)
    planes = (_resize_luma(frame.y, width, height), u, v)
    return replace(frame, planes=planes, color=color)


def shift_chroma(plane: Plane, found: tuple[float, float], wanted: tuple[float, float]) -> Plane:
    """Resample uint8 (H, W) whose samples sit at `found` to `wanted` (see `siting_offset`)."""
    if found == wanted:
        return plane
    offsets = ((wanted[0] - found[0]) / 2, (wanted[1] - found[1]) / 2)
    rows, columns = plane.shape
    return enlarge(plane, (columns, rows), (Fraction(1), Fraction(1)), offsets)


def _offset(ratio: Fraction, siting: float) -> float:
    """Where output chroma sample 0 lies on the input chroma grid; sample k is k / ratio further."""
    return ((siting + 0.5) / float(ratio) - 0.5 - siting) / 2


def _resize_luma(plane: Plane, width: int, height: int) -> Plane:
    """libswscale's cubic, which is ten times faster than Pillow's, and centred as luma needs it."""
    av = load_av()
    picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(plane), format="gray")
    return plane_view(picture.reformat(width, height, interpolation="BICUBIC"), 0).copy()
