"""MATLAB's ``imresize(image, size, "bicubic")``: what published super-resolution figures rest on.

When it shrinks, the cubic kernel (a = -0.5) is stretched by the ratio, which antialiases; edges are
mirrored with the edge pixel repeated; weights are normalised. Sample centres are aligned at
``(i + 0.5) / ratio - 0.5``. Reference: MATLAB's documentation of imresize, "Antialiasing".
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8] | NDArray[np.float64]


def imresize(image: Image, width: int, height: int) -> NDArray[np.uint8]:
    """(H, W) or (H, W, C) of 0..255 -> uint8 (height, width[, C]), rounded once, at the end."""
    down = _along_rows(image.astype(np.float64), height)
    across = _along_rows(np.moveaxis(down, 1, 0), width)
    result = np.moveaxis(across, 0, 1)
    return np.ascontiguousarray(np.clip(np.floor(result + 0.5), 0, 255).astype(np.uint8))


def _along_rows(image: NDArray[np.float64], rows: int) -> NDArray[np.float64]:
    """Resize the first axis, one tap of the kernel after the other."""
    weights, indices = _taps(image.shape[0], rows)
    result = np.zeros((rows, *image.shape[1:]))
    shape = (rows,) + (1,) * (image.ndim - 1)
    for weight, index in zip(weights.T, indices.T, strict=True):
        result += weight.reshape(shape) * image[index]
    return result


def _taps(length: int, new: int) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """For each of ``new`` samples: (new, K) weights, and the (new, K) inputs they belong to."""
    ratio = float(Fraction(new, length))
    shrink = min(ratio, 1.0)
    reach = 4 / shrink  # the kernel's width in input pixels
    centre = (np.arange(new) + 0.5) / ratio - 0.5
    first = np.floor(centre - reach / 2).astype(np.intp)
    offsets = first[:, None] + np.arange(int(np.ceil(reach)) + 2)
    weights = _cubic((centre[:, None] - offsets) * shrink)
    weights /= weights.sum(axis=1, keepdims=True)
    mirrored = offsets % (2 * length)
    indices = np.where(mirrored < length, mirrored, 2 * length - 1 - mirrored)
    used = np.any(weights != 0, axis=0)
    return weights[:, used], indices[:, used]


def _cubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keys' cubic convolution kernel with a = -0.5."""
    x = np.abs(x)
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))
