"""Sequences whose motion is known to the pixel: a window that moves over pictures, or holds still.

They serve to measure flicker: what a result does from frame to frame that the truth does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from bench.quality.clip import Clip
from bench.quality.images import ImageSet, Pixels
from edge_sr.errors import MediaError
from edge_sr.media.color import rgb_to_yuv
from edge_sr.media.frame import Color, Frame

WINDOW = 256  # rows and columns of a frame
FARTHEST = 3  # pixels that a window moves by from frame to frame, in each direction
PANNED = 8  # frames over a picture
HELD = 16  # the same, of a camera that stands still
MOST = 6  # pictures
SEED = 20
COLOR = Color(matrix=6, full_range=False)
RATE = 25


def moving_clip(images: ImageSet) -> Clip:
    """A window that moves by whole pixels over one picture after the other.

    Raises:
        MediaError: no picture is large enough.
    """
    return _clip(images, f"pans over {images.name}", PANNED, FARTHEST)


def fixed_clips(images: ImageSet, levels: Sequence[float]) -> list[Clip]:
    """A camera that stands still before one picture after the other, and has noise.

    Each level comes twice: as it is, and with ``calm``.

    Args:
        levels: standard deviations of the noise of the LR luma, in levels of 255.

    Raises:
        MediaError: no picture is large enough.
    """
    found = []
    for level in levels:
        for calm in ("off", "1"):
            added = "" if calm == "off" else ", calm"
            name = f"{images.name}, fixed camera, noise {level:g}{added}"
            found.append(_clip(images, name, HELD, 0, noise=level, calm=calm))
    return found


def _clip(
    images: ImageSet,
    name: str,
    length: int,
    farthest: int,
    *,
    noise: float = 0.0,
    calm: str = "off",
) -> Clip:
    need = WINDOW + farthest * length
    large = [pixels for _, pixels in images.pictures if min(pixels.shape[:2]) >= need][:MOST]
    if not large:
        raise MediaError(
            f"{images.name}: no picture of {need}x{need} pixels or more; --scenes takes a folder "
            "of such pictures"
        )
    rng = np.random.default_rng(SEED)
    frames: list[Frame] = []
    motion: list[tuple[int, int] | None] = []
    for pixels in large:
        step = _step(rng, farthest)
        rows, columns = pixels.shape[:2]
        left, top = (
            int(rng.integers(0, side - WINDOW - reach * (length - 1) + 1)) + (reach * (length - 1))
            * (move < 0)
            for side, move, reach in zip((columns, rows), step, map(abs, step), strict=True)
        )  # fmt: skip
        for number in range(length):
            x, y = left + number * step[0], top + number * step[1]
            seen = pixels[y : y + WINDOW, x : x + WINDOW]
            frames.append(_frame(seen, len(frames), first=number == 0))
            motion.append(step if number else None)
    return Clip(
        name=name,
        sha256=images.sha256,
        high=tuple(frames),
        low=None,
        motion=tuple(motion),
        noise=noise,
        calm=calm,
    )


def _step(rng: np.random.Generator, farthest: int) -> tuple[int, int]:
    """(right, down) in pixels, from frame to frame; never nothing where anything is allowed."""
    while True:
        x, y = (int(value) for value in rng.integers(-farthest, farthest + 1, 2))
        if farthest == 0 or x % 2 or y % 2:  # so that samples of a x2 input do not repeat
            return x, y


def _frame(pixels: Pixels, number: int, *, first: bool) -> Frame:
    if pixels.ndim == 2:
        half = np.full([side // 2 for side in pixels.shape], 128, np.uint8)
        planes = (np.ascontiguousarray(pixels), half, half)
    else:
        planes = rgb_to_yuv(np.ascontiguousarray(pixels), COLOR)
    return Frame(planes, number, Fraction(1, RATE), COLOR, discontinuity=first)
