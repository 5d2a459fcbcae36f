"""Still images through a model of luma or RGB: what it does not see goes round it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from edge_sr.media.libraries import load_cv2

Image = NDArray[np.uint8]


def upscale_still(image: Image, color: str, run: Callable[[Image], Image]) -> Image:
    """Upscale uint8 (H, W), (H, W, 2), (H, W, 3) or (H, W, 4) and keep its kind.

    Args:
        color: what ``run`` takes, "luma" or "rgb".
        run: uint8 (H, W, 1 or 3) -> the same, larger.

    A luma model gets full-range BT.601 luma (JPEG's); chroma and alpha are resized bicubically.
    """
    if image.ndim == 2:
        return _grey(image, color, run)
    channels = image.shape[2]
    if channels == 1:
        return _grey(image[..., 0], color, run)[..., None]
    if channels in (2, 4):
        solid = upscale_still(image[..., 0] if channels == 2 else image[..., :3], color, run)
        alpha = _resize(image[..., -1], solid.shape[1], solid.shape[0])
        return np.dstack([solid, alpha])
    if color == "rgb":
        return run(image)
    cv2 = load_cv2()
    y, cr, cb = cv2.split(cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb))
    big = run(y[..., None])[..., 0]
    height, width = big.shape
    merged = cv2.merge([big, _resize(cr, width, height), _resize(cb, width, height)])
    return np.asarray(cv2.cvtColor(merged, cv2.COLOR_YCrCb2RGB), np.uint8)


def _grey(image: Image, color: str, run: Callable[[Image], Image]) -> Image:
    if color == "luma":
        return run(image[..., None])[..., 0]
    big = run(np.repeat(image[..., None], 3, axis=2))
    return np.asarray(np.rint(big.mean(axis=2)), np.uint8)


def _resize(plane: Image, width: int, height: int) -> Image:
    cv2 = load_cv2()
    return np.asarray(
        cv2.resize(np.ascontiguousarray(plane), (width, height), interpolation=cv2.INTER_CUBIC),
        np.uint8,
    )
