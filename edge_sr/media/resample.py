"""Resampling of one plane with exact phases: output sample k lies at k / ratio + offset."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from edge_sr.media.frame import YUV420, PixelFormat, Plane
from edge_sr.media.libraries import load_cv2, load_pillow

Size = tuple[int, int]  # columns, rows
Ratios = tuple[Fraction, Fraction]  # output / input, horizontally and vertically
Offsets = tuple[float, float]  # where output sample 0 lies among the input samples

MAX_PHASES = 4  # ratios p/q with a larger p are slow in `enlarge`
CUBIC = -0.5  # Catmull-Rom, which reproduces ramps and parabolas; Pillow's cubic is the same
EDGE = 4  # samples replicated at each edge, enough for every tap

# FFmpeg's AVChromaLocation -> where a chroma sample sits between its 2 x 2 luma samples, (x, y);
# 0 is on the left column or top row, 1 on the right or bottom; unspecified means left, as in H.264
SITINGS = {
    0: (0.0, 0.5),
    1: (0.0, 0.5),
    2: (0.5, 0.5),
    3: (0.0, 0.0),
    4: (0.5, 0.0),
    5: (0.0, 1.0),
    6: (0.5, 1.0),
}


def siting_offset(location: int, kept: PixelFormat = YUV420) -> tuple[float, float]:
    """Where chroma sits, (x, y) in luma samples from the first one that it belongs to."""
    x, y = SITINGS.get(location, SITINGS[0])
    return x if kept.chroma_x > 1 else 0.0, y if kept.chroma_y > 1 else 0.0


def enlarge(
    plane: Plane, size: Size, ratios: Ratios, offsets: Offsets, *, white: int = 255
) -> Plane:
    """Enlarge (H, W) by p/q: p x p filters of four taps each, one for every position.

    Args:
        plane: uint8, or uint16 up to `white`.
    """
    cv2 = load_cv2()
    out = np.empty(size[::-1], plane.dtype)
    exact = plane.dtype == np.uint8  # OpenCV rounds these to nearest, as below, in less time
    wide = np.pad(plane, EDGE, mode="edge")
    for row, top, row_taps in _positions(ratios[1], offsets[1]):
        for column, left, column_taps in _positions(ratios[0], offsets[0]):
            kind = -1 if exact else cv2.CV_32F
            filtered = cv2.sepFilter2D(wide, kind, column_taps, row_taps, anchor=(1, 1))
            target = out[row :: ratios[1].numerator, column :: ratios[0].numerator]
            picked = filtered[top :: ratios[1].denominator, left :: ratios[0].denominator]
            picked = picked[: target.shape[0], : target.shape[1]]
            target[...] = picked if exact else np.clip(np.rint(picked), 0, white)
    return out


def _positions(ratio: Fraction, offset: float) -> list[tuple[int, int, NDArray[np.float32]]]:
    """(first output sample, its first input sample in the padded plane, its taps) per phase."""
    found = []
    for phase in range(ratio.numerator):
        at = phase * ratio.denominator / ratio.numerator + offset
        below = math.floor(at)
        distance = np.abs(at - below - np.arange(-1, 3))
        near = (CUBIC + 2) * distance**3 - (CUBIC + 3) * distance**2 + 1
        far = CUBIC * (distance**3 - 5 * distance**2 + 8 * distance - 4)
        taps = np.where(distance < 1, near, far).astype(np.float32)
        found.append((phase, EDGE + below, taps))
    return found


def resize_any(
    plane: Plane, size: Size, ratios: Ratios, offsets: Offsets, *, white: int = 255
) -> Plane:
    """(H, W) at any ratio: Pillow's antialiased cubic, every sample in its place.

    Args:
        plane: uint8, or uint16 up to `white`.
    """
    pil = load_pillow()
    steps = [1 / float(ratio) for ratio in ratios]
    starts = [EDGE + at + 0.5 - step / 2 for at, step in zip(offsets, steps, strict=True)]
    stops = [at + count * step for at, count, step in zip(starts, size, steps, strict=True)]
    deep = plane.dtype != np.uint8  # in float32: Pillow resizes no 16-bit images exactly
    wide = np.pad(plane, EDGE, mode="edge").astype(np.float32 if deep else np.uint8, copy=False)
    resized = pil.Image.fromarray(wide).resize(
        size, pil.Image.Resampling.BICUBIC, box=(*starts, *stops)
    )
    if deep:
        return np.asarray(np.clip(np.rint(np.asarray(resized)), 0, white), plane.dtype)
    return np.array(resized, np.uint8)
