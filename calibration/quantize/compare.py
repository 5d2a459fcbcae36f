"""Running networks over images and putting a figure on how far apart the results are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx

from calibration.quantize.ends import Ends, Image
from calibration.quantize.session import open_session, run_each


def upscale_all(
    model: onnx.ModelProto, ends: Ends, images: Sequence[Image], *, integer: bool = False
) -> list[Image]:
    """The network's uint8 (H*s, W*s, C) results for uint8 (H, W, C) images."""
    session = open_session(model, integer=integer)
    return [ends.fetch(found[0]) for _, found in run_each(session, (ends.feed(i) for i in images))]


def pooled_psnr(a: Sequence[Image], b: Sequence[Image]) -> float:
    """PSNR in dB over all pixels and channels of two equally long lists, peak 255, no border.

    Returns inf where nothing differs.
    """
    pairs = list(zip(a, b, strict=True))
    squares = sum(float(np.sum((x.astype(np.int32) - y) ** 2)) for x, y in pairs)
    count = sum(x.size for x, _ in pairs)
    return float("inf") if squares == 0 else 10 * float(np.log10(255**2 * count / squares))
