"""Still images through a model of luma or RGB, with the parts that the model does not see."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.media.libraries import load_cv2

Image = NDArray[Any]  # uint8, or uint16 of 16 bits per channel
Plane = NDArray[np.float32]
SMALLEST = 4  # pixels a side that a model takes
SEEN = 32  # alpha from which on the colour of a pixel is left as it is


def upscale_still(image: Image, color: str, run: Callable[[Image], Image]) -> Image:
    """Upscale uint8 (H, W), (H, W, 2), (H, W, 3) or (H, W, 4) and keep its kind.

    uint16 of full range, 0 to 65535, is taken too where ``run`` takes it.

    Args:
        color: what ``run`` takes, "luma" or "rgb".
        run: uint8 (H, W, 1 or 3) -> the same, larger.

    A luma model gets full-range BT.601 luma (JPEG's); chroma and alpha are resized bicubically.
    Colours that cannot be seen are replaced by those around them first, so that they do not bleed.
    Images of less than 4 pixels a side are padded with their edges, and cropped again.
    """
    height, width = image.shape[:2]
    if min(height, width) < SMALLEST:
        rows, columns = (max(0, SMALLEST - side) for side in (height, width))
        wide = np.pad(image, [(0, rows), (0, columns), *[(0, 0)] * (image.ndim - 2)], mode="edge")
        big = upscale_still(wide, color, run)
        top, left = height * big.shape[0] // wide.shape[0], width * big.shape[1] // wide.shape[1]
        return np.ascontiguousarray(big[:top, :left])
    if image.ndim == 2:
        return _grey(image, color, run)
    channels = image.shape[2]
    if channels == 1:
        return _grey(image[..., 0], color, run)[..., None]
    if channels in (2, 4):
        seen = fill_hidden(image[..., :-1], image[..., -1])
        solid = upscale_still(seen[..., 0] if channels == 2 else seen, color, run)
        alpha = _resize(image[..., -1], solid.shape[1], solid.shape[0])
        return np.dstack([solid, alpha])
    if color == "rgb":
        return run(image)
    cv2 = load_cv2()
    y, cr, cb = cv2.split(cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb))
    big = run(y[..., None])[..., 0]
    height, width = big.shape
    merged = cv2.merge([big, _resize(cr, width, height), _resize(cb, width, height)])
    return np.asarray(cv2.cvtColor(merged, cv2.COLOR_YCrCb2RGB), image.dtype)


def fill_hidden(colors: Image, alpha: Image) -> Image:
    """Colours (H, W, C) with those of transparent pixels taken from visible ones nearby."""
    top = np.iinfo(colors.dtype).max
    seen = SEEN * (top // 255)
    if alpha.min() >= seen:
        return colors
    weight = np.minimum(alpha.astype(np.float32) / seen, 1)
    weighted = colors.astype(np.float32) * weight[..., None]
    filled = _spread(weighted, weight, first=True)
    return np.clip(np.rint(filled), 0, top).astype(colors.dtype)


def _spread(weighted: Plane, weight: Plane, *, first: bool = False) -> Plane:
    """Colours where there is a weight, and where there is none those of a picture half as large."""
    mean = np.asarray(weighted / np.maximum(weight, 1e-6)[..., None], np.float32)
    rows, columns = weight.shape
    if (weight.min() > 0.25 and not first) or max(rows, columns) == 1:
        return mean
    cv2 = load_cv2()
    half = ((columns + 1) // 2, (rows + 1) // 2)
    small = [cv2.resize(part, half, interpolation=cv2.INTER_AREA) for part in (weighted, weight)]
    around = _spread(small[0].reshape(half[1], half[0], -1), small[1])
    wide = cv2.resize(around, (columns, rows), interpolation=cv2.INTER_LINEAR)
    share = (weight if first else np.minimum(1, 4 * weight))[..., None]
    found = share * mean + (1 - share) * wide.reshape(rows, columns, -1)
    return np.asarray(found, np.float32)


def _grey(image: Image, color: str, run: Callable[[Image], Image]) -> Image:
    if color == "luma":
        return run(image[..., None])[..., 0]
    big = run(np.repeat(image[..., None], 3, axis=2))
    return np.asarray(np.rint(big.mean(axis=2)), image.dtype)


def _resize(plane: Image, width: int, height: int) -> Image:
    cv2 = load_cv2()
    return np.asarray(
        cv2.resize(np.ascontiguousarray(plane), (width, height), interpolation=cv2.INTER_CUBIC),
        plane.dtype,
    )
