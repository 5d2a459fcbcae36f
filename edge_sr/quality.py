"""The figures of image quality, each with one definition that everything here uses."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8] | NDArray[np.float64]

# ITU-R BT.601 luma of full-range RGB in the limited range 16..235, as MATLAB's rgb2ycbcr
_LUMA = np.array([65.481, 128.553, 24.966]) / 255


def luma_bt601(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """uint8 (H, W, 3) RGB -> uint8 (H, W) luma, BT.601 limited range 16..235, rounded."""
    return np.rint(exact_luma_bt601(rgb)).astype(np.uint8)


def exact_luma_bt601(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The same before rounding: float64 (H, W), 16..235, as published figures compare it."""
    return np.asarray(rgb @ _LUMA + 16)


def psnr(a: Pixels, b: Pixels, *, border: int) -> float:
    """Peak signal-to-noise ratio in dB of two images of one shape, levels 0..255, peak 255.

    Args:
        border: pixels left off on every side; the standard protocol takes the scale, rounded up.

    Returns inf for equal images.

    Raises:
        ValueError: the shapes differ, or nothing is left inside the border.
    """
    if a.shape != b.shape:
        raise ValueError(f"images are {a.shape} and {b.shape}; PSNR compares equal shapes")
    inner = slice(border, -border or None)
    error = a[inner, inner].astype(np.float64) - b[inner, inner]
    if error.size == 0:
        raise ValueError(f"image is {a.shape}; nothing is left inside a border of {border}")
    mean = float(np.mean(error**2))
    return float("inf") if mean == 0 else 10 * float(np.log10(255**2 / mean))


def standard_border(scale: float) -> int:
    """Pixels that the standard protocol leaves off: the scale, rounded up."""
    return int(np.ceil(scale))
