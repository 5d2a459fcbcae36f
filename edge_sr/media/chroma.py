"""Resizing chroma so that colour stays where luma is."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np

from edge_sr.media.frame import Frame, Plane
from edge_sr.media.libraries import load_av
from edge_sr.media.planes import plane_view
from edge_sr.media.resample import MAX_PHASES, enlarge, resize_any, siting_offset
from edge_sr.types import Size


def resize_chroma(frame: Frame, width: int, height: int) -> tuple[Plane, Plane]:
    """u and v for a picture of `width` x `height` luma samples made from `frame`.

    Planes of the frame's chroma size become those of the new size and keep their dtype; cubic,
    edges replicated, antialiased when it shrinks. The siting that the frame is tagged with is kept:
    the sample k of the result lies over the luma sample that it belongs to. Yours to keep.

    Raises:
        MissingDependencyError: OpenCV, Pillow or PyAV is not installed.
    """
    rows, columns = frame.y.shape
    kept = frame.format
    x, y = siting_offset(frame.color.chroma_location, kept)
    ratios = (Fraction(width, columns), Fraction(height, rows))
    size = kept.chroma_size(Size(width, height))
    if ratios[0] == ratios[1] == 1:
        return frame.u.copy(), frame.v.copy()
    offsets = (_offset(ratios[0], x, kept.chroma_x), _offset(ratios[1], y, kept.chroma_y))
    resize = resize_any
    if min(ratios) > 1 and max(ratio.numerator for ratio in ratios) <= MAX_PHASES:
        resize = enlarge
    u, v = (resize(p, size, ratios, offsets, white=kept.white) for p in (frame.u, frame.v))
    return u, v


def resize_frame(frame: Frame, width: int, height: int) -> Frame:
    """A frame of another size, for targets that are not a model's scale: cubic, antialiased.

    Time and colour tags are kept, chroma stays over its luma. Yours to keep.

    Raises:
        MissingDependencyError: OpenCV, Pillow or PyAV is not installed.
    """
    u, v = resize_chroma(frame, width, height)
    color = frame.color.resized(frame.size.height, height)
    planes = (_resize_luma(frame, width, height), u, v)
    return replace(frame, planes=planes, color=color)


def shift_chroma(
    plane: Plane, found: tuple[float, float], wanted: tuple[float, float], *, white: int = 255
) -> Plane:
    """Resample (H, W) whose samples sit at `found` to `wanted` (see `siting_offset`).

    Args:
        plane: uint8, or uint16 up to `white`; of two luma samples for each of its own.
    """
    if found == wanted:
        return plane
    offsets = ((wanted[0] - found[0]) / 2, (wanted[1] - found[1]) / 2)
    rows, columns = plane.shape
    return enlarge(plane, (columns, rows), (Fraction(1), Fraction(1)), offsets, white=white)


def _offset(ratio: Fraction, siting: float, step: int) -> float:
    """Where output chroma sample 0 lies on the input chroma grid; sample k is k / ratio further.

    Args:
        step: luma samples for each of chroma, 1 or 2.
    """
    return ((siting + 0.5) / float(ratio) - 0.5 - siting) / step


def _resize_luma(frame: Frame, width: int, height: int) -> Plane:
    """libswscale's cubic, which is ten times faster than Pillow's, and centred as luma needs it."""
    kept = frame.format
    name = "gray" if kept.bits == 8 else f"gray{kept.bits}le"
    picture = load_av().VideoFrame.from_ndarray(np.ascontiguousarray(frame.y), format=name)
    resized = picture.reformat(width, height, interpolation="BICUBIC")
    return np.minimum(plane_view(resized, 0, kept), kept.white)
