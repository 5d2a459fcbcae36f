"""PSNR and SSIM of a model on pictures, by the protocol of the published figures.

The ground truth is cut to whole multiples of the scale. The input is made from it by MATLAB's
antialiased bicubic and rounded to 8 bits: from luma for luma models, from RGB for RGB models, as
either kind is published. The result is rounded to 8 bits as well: luma, or RGB. PSNR-Y and SSIM-Y
compare BT.601 luma (16..235) of the two, not rounded again (rounding the truth costs 0.03 dB at
37 dB, and an RGB result's luma 0.07); a grey file's pixels are its luma. PSNR RGB is of what a user
gets: for a luma model, chroma resized beside it; grey files have none. The scale, rounded up, is
left off on every side.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from bench.quality.imresize import imresize
from bench.quality.ssim import WINDOW, ssim
from edge_sr.errors import FrameError
from edge_sr.quality import Pixels, exact_luma_bt601, psnr, standard_border
from edge_sr.upscaler import Upscaler

PROTOCOL = (
    "8-bit LR by MATLAB's antialiased bicubic, 8-bit result, BT.601 luma not rounded again, "
    "border = scale rounded up, peak 255"
)
CEILING_DB = 100.0  # stands for infinity, so that means and JSON stay numbers
LEAST = 4  # LR pixels a side that a model takes

Image = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One picture, ready to be measured on at one scale. Full frames."""

    name: str
    border: int  # pixels
    high_y: Pixels  # (H, W), 16..235 and not rounded; of a grey file 0..255
    low_y: Image  # (h, w)
    plain_y: Image  # (H, W): low_y brought back by bicubic
    high: Image  # (H, W, 3), or (H, W) for a grey file
    low: Image  # (h, w, 3) or (h, w)


@dataclass(frozen=True, kw_only=True)
class Score:
    """The figures of one model on one picture."""

    name: str
    psnr_y_db: float
    ssim_y: float
    psnr_rgb_db: float | None  # None for a grey file


def make_pair(name: str, picture: Image, ratio: Fraction) -> Pair:
    """Cut a picture to multiples of the scale and make its input.

    Args:
        picture: uint8 (H, W, 3) RGB or (H, W) grey.
        ratio: output side / input side.

    Raises:
        FrameError: nothing to measure would be left.
    """
    rows, columns = (side - side % ratio.numerator for side in picture.shape[:2])
    border = standard_border(float(ratio))
    small = (int(columns / ratio), int(rows / ratio))
    if min(rows, columns) < 2 * border + WINDOW or min(small) < LEAST:
        raise FrameError(
            f"{name}: is {picture.shape[1]}x{picture.shape[0]}; x{float(ratio):g} needs sides of "
            f"{max(2 * border + WINDOW, int(LEAST * ratio))} or more"
        )
    high = np.ascontiguousarray(picture[:rows, :columns])
    high_y = exact_luma_bt601(high) if high.ndim == 3 else high
    low_y = imresize(high_y, *small)
    return Pair(
        name=name,
        border=border,
        high_y=high_y,
        low_y=low_y,
        plain_y=imresize(low_y, columns, rows),
        high=high,
        low=imresize(high, *small) if high.ndim == 3 else low_y,
    )


def measure(upscaler: Upscaler, pair: Pair) -> tuple[Score, Pixels, Image]:
    """(figures, luma (H, W), picture of the kind of ``pair.high``) of a model on one picture.

    Raises:
        FrameError: a size the model does not take, or a result of another size than the truth's.
        BackendError: the engine failed.
    """
    result = upscaler.upscale(pair.low)
    if upscaler.sidecar.color == "luma":
        y: Pixels = upscaler.backend.infer(pair.low_y[None, ..., None])[0, ..., 0]
    else:
        y = exact_luma_bt601(result) if result.ndim == 3 else result
    if y.shape != pair.high_y.shape or result.shape != pair.high.shape:
        rows, columns = pair.high_y.shape
        raise FrameError(
            f"{pair.name}: the result is {y.shape[1]}x{y.shape[0]}; expected {columns}x{rows}: the "
            "model's scale is not the one stated"
        )
    color = pair.high.ndim == 3
    score = Score(
        name=pair.name,
        psnr_y_db=_psnr(y, pair.high_y, pair.border),
        ssim_y=ssim(y, pair.high_y, border=pair.border),
        psnr_rgb_db=_psnr(result, pair.high, pair.border) if color else None,
    )
    return score, y, result


def _psnr(a: Pixels, b: Pixels, border: int) -> float:
    return min(psnr(a, b, border=border), CEILING_DB)
