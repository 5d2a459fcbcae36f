"""Large frames in tiles: the same picture, in memory that does not grow with it.

Each tile is given to the network with a rim of its neighbours' pixels, as wide as the network
sees, and only its inside is kept. How far a network sees is found out by asking it: all pixels
around a square of noise are changed, from dark to white and from bright to black; how deep into the
square its results change is its reach.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from edge_sr.backend.protocol import SIDES
from edge_sr.errors import FrameError
from edge_sr.types import Size

Image = NDArray[np.uint8]

AUTO_PIXELS = 2560 * 1600  # a frame above this is cut where tiles are "auto"
AUTO_SIDE = 1024  # input pixels
STEP = 16  # tiles begin at multiples of it: any stride and x1.5 divide it
PROBE = 256  # rows and columns of the frame that the network is asked with
RING = 32  # pixels around the square
CHANGES = 2  # on different noise
FURTHEST = PROBE // 2 - RING - STEP  # pixels that a network may see, to work in tiles


@dataclass(frozen=True)
class Span:
    """One tile along one axis, in input pixels."""

    start: int  # of what is kept
    stop: int
    low: int  # of what the network is given
    high: int


def parse_tile(text: str) -> int | None:
    """ "auto" -> None, "off" -> 0, "512" -> 512.

    Raises:
        ValueError: something else, or a side that is not a multiple of 16 of at least 64.
    """
    if text in ("auto", "off"):
        return None if text == "auto" else 0
    if not text.isdigit() or int(text) < 64 or int(text) % STEP:
        raise ValueError(f"{text!r}; expected auto, off, or a multiple of {STEP} from 64 up")
    return int(text)


def tile_side(tile: int | None, size: Size) -> int:
    """Side of the tiles for a frame of this size; 0 to run it whole.

    Args:
        tile: a side in input pixels, 0 for never, None to cut frames above 4 megapixels, and those
            with a side that no backend takes.
    """
    if tile is None:
        return AUTO_SIDE if size.pixels > AUTO_PIXELS or max(size) >= SIDES.stop else 0
    return tile if tile and max(size) > tile else 0


def run_tiled(
    run: Callable[[Image], Image], image: Image, ratio: Fraction, *, side: int, reach: int
) -> Image:
    """Upscale uint8 (H, W, C) tile by tile; differs from the whole by rounding only.

    Args:
        run: uint8 (h, w, C) -> uint8 (h*ratio, w*ratio, C).
        side: of what is kept of a tile, in input pixels, a multiple of 16.
        reach: how far the network sees, in input pixels.
    """
    height, width = image.shape[:2]
    result = np.empty((int(height * ratio), int(width * ratio), image.shape[2]), np.uint8)
    for down in _spans(height, side, reach):
        for across in _spans(width, side, reach):
            tile = np.ascontiguousarray(image[down.low : down.high, across.low : across.high])
            big = run(tile)
            top, left = (
                int((down.start - down.low) * ratio),
                int((across.start - across.low) * ratio),
            )
            rows = slice(int(down.start * ratio), int(down.stop * ratio))
            columns = slice(int(across.start * ratio), int(across.stop * ratio))
            result[rows, columns] = big[
                top : top + rows.stop - rows.start, left : left + columns.stop - columns.start
            ]
    return result


def find_reach(
    run: Callable[[Image], Image], channels: int, ratio: Fraction, *, bits: int = 8
) -> int:
    """How many input pixels away an output pixel still depends on one.

    Args:
        run: the network, uint8 (H, W, C) -> uint8 (H*ratio, W*ratio, C).
        channels: of a pixel.
        bits: of a sample; with more than 8, `run` takes and gives two bytes for each.

    Raises:
        FrameError: the network sees further than a tile's rim can be.
    """
    furthest = measure_reach(run, channels, ratio, Size(PROBE, PROBE), bits=bits)
    if furthest > FURTHEST:
        raise FrameError(
            "this network sees the whole frame and cannot work in tiles: use --tile off"
        )
    return furthest


def measure_reach(
    run: Callable[[Image], Image], channels: int, ratio: Fraction, size: Size, *, bits: int = 8
) -> int:
    """As `find_reach` on frames of one size; about 3/8 of its side where all of it is seen."""
    top = (1 << bits) - 1
    kind = np.uint8 if bits == 8 else np.uint16
    ring = min(RING, min(size) // 8)
    inside = slice(ring, size.height - ring), slice(ring, size.width - ring)
    furthest = 0
    for seed in range(CHANGES):
        rng = np.random.default_rng(seed)
        frame = rng.integers(0, top + 1, (size.height, size.width, channels), kind)
        changed = np.where(frame > top // 2, 0, top).astype(kind)
        changed[inside] = frame[inside]
        differs = (run(frame.view(np.uint8)) != run(changed.view(np.uint8))).any(axis=2)
        high, wide = (int(part.stop * ratio) for part in inside)
        start = int(ring * ratio)
        rows, columns = np.nonzero(differs[start:high, start:wide])
        if rows.size:
            last = high - start - 1, wide - start - 1
            deep = np.stack([rows, columns, last[0] - rows, last[1] - columns]).min(axis=0).max()
            furthest = max(furthest, int(deep / ratio) + 1)
    return furthest


def window_rim(reach: int, window: Size) -> int:
    """Pixels that tiles of one size give to their neighbours on each side: a quarter at most."""
    return min(reach, min(window) // 4)


def run_windows(
    run: Callable[[Image], Image],
    image: Image,
    ratio: Fraction,
    window: Size,
    *,
    rim: int,
    most: int | None = None,
) -> Image:
    """Upscale uint8 (H, W, C) by a network that takes one size, in overlapping tiles of it.

    A frame smaller than the window is extended by its border.

    Args:
        run: uint8 (h, w, C) of the window's size -> uint8 (h*ratio, w*ratio, C).
        rim: of a tile, input pixels that are not kept where it has a neighbour.
        most: rows and columns that are kept of a tile, at most; None for all but the rims.
    """
    height, width = image.shape[:2]
    unit = ratio.denominator
    more = [max(side - have, 0, -(have - side) % unit) for side, have in
            ((window.height, height), (window.width, width))]  # fmt: skip
    whole = np.pad(image, [(0, more[0]), (0, more[1]), (0, 0)], mode="edge")
    high, wide = whole.shape[:2]
    result = np.empty((int(high * ratio), int(wide * ratio), image.shape[2]), np.uint8)
    for top, first, last in _windows(high, window.height, rim, unit, most):
        for left, start, stop in _windows(wide, window.width, rim, unit, most):
            tile = whole[top : top + window.height, left : left + window.width]
            big = run(np.ascontiguousarray(tile))
            (a, b), (c, d) = (
                (int(low * ratio), int(end * ratio)) for low, end in ((first, last), (start, stop))
            )
            up, over = int(top * ratio), int(left * ratio)
            result[a:b, c:d] = big[a - up : b - up, c - over : d - over]
    return np.ascontiguousarray(result[: int(height * ratio), : int(width * ratio)])


def _windows(
    length: int, side: int, rim: int, unit: int, most: int | None
) -> list[tuple[int, int, int]]:
    """(start of the tile, first and end of what is kept of it), in input pixels."""
    step = min(side - 2 * rim - (unit - 1), most or side)
    grid = STEP if step >= STEP else unit  # any stride of the network divides it
    step = max(unit, step // grid * grid)
    starts = [0]
    while starts[-1] + side < length:
        starts.append(min(starts[-1] + step, length - side))
    cuts = [(low + high + side) // 2 // unit * unit for low, high in pairwise(starts)]
    return list(zip(starts, [0, *cuts], [*cuts, length], strict=True))


def _spans(length: int, side: int, reach: int) -> Iterator[Span]:
    """Equal tiles of about ``side``, each with its rim; all begin at multiples of 16."""
    rim = -(-reach // STEP) * STEP
    count = max(1, round(length / side))
    step = -(-length // count // STEP) * STEP
    for start in range(0, length, step):
        stop = min(start + step, length)
        yield Span(start, stop, max(0, start - rim), min(length, stop + rim))
