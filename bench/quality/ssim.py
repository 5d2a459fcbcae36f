"""Structural similarity as Wang et al. define it (IEEE TIP 13, 2004)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge_sr.quality import Pixels

WINDOW = 11  # pixels: a Gaussian of sigma 1.5 cut at 5 on each side
SIGMA = 1.5
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def ssim(a: Pixels, b: Pixels, *, border: int) -> float:
    """Mean SSIM of two (H, W) images of 0..255 over windows that fit whole inside the border.

    Gaussian 11 x 11 window of sigma 1.5, K1 0.01, K2 0.03, range 0..255; 1 for equal images.

    Raises:
        ValueError: the shapes differ, or no window fits inside the border.
    """
    if a.shape != b.shape or a.ndim != 2:
        raise ValueError(f"images are {a.shape} and {b.shape}; SSIM compares equal (H, W)")
    if min(a.shape) < 2 * border + WINDOW:
        raise ValueError(
            f"image is {a.shape}; an {WINDOW}x{WINDOW} window needs more inside {border}"
        )
    inner = slice(border, -border or None)
    x, y = (image[inner, inner].astype(np.float64) for image in (a, b))
    mean_x, mean_y = _blur(x), _blur(y)
    var_x = _blur(x * x) - mean_x**2
    var_y = _blur(y * y) - mean_y**2
    covariance = _blur(x * y) - mean_x * mean_y
    upper = (2 * mean_x * mean_y + C1) * (2 * covariance + C2)
    lower = (mean_x**2 + mean_y**2 + C1) * (var_x + var_y + C2)
    return float(np.mean(upper / lower))


def _blur(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """Separable Gaussian, only where the window fits: (H, W) -> (H - 10, W - 10)."""
    offsets = np.arange(WINDOW) - WINDOW // 2
    kernel = np.exp(-(offsets**2) / (2 * SIGMA**2))
    kernel /= kernel.sum()
    rows, columns = (side - WINDOW + 1 for side in image.shape)
    down = sum(weight * image[i : i + rows] for i, weight in enumerate(kernel))
    across = sum(weight * down[:, i : i + columns] for i, weight in enumerate(kernel))
    return np.asarray(across)
