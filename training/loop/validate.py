"""PSNR of a network on held-out pictures, beside bicubic's."""

from __future__ import annotations

from fractions import Fraction

import keras
import numpy as np
from PIL import Image

from edge_sr.quality import psnr, standard_border
from training.data.pairs import Pair, to_uint8


def bicubic(low: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Pillow's bicubic of uint8 (h, w, C) to (H, W, C)."""
    picture = Image.fromarray(low[..., 0] if low.shape[2] == 1 else low)
    return np.asarray(picture.resize((shape[1], shape[0]), Image.Resampling.BICUBIC)).reshape(shape)


def validation_psnr(model: keras.Model, pairs: list[Pair], scale: Fraction) -> tuple[float, float]:
    """Mean PSNR in dB of the model and of bicubic over the pairs, border = scale rounded up.

    A model with a fixed input size is measured on the top left part of that size.
    """
    ours, plain = zip(*validation_scores(model, pairs, scale), strict=True)
    return float(np.mean(ours)), float(np.mean(plain))


def validation_scores(
    model: keras.Model, pairs: list[Pair], scale: Fraction
) -> list[tuple[float, float]]:
    """As `validation_psnr`, for each pair."""
    border = standard_border(float(scale))
    scores = []
    for pair in pairs:
        low, target, result = upscale_pair(model, pair, scale)
        plain = psnr(bicubic(low, target.shape), target, border=border)
        scores.append((psnr(result, target, border=border), plain))
    return scores


def upscale_pair(
    model: keras.Model, pair: Pair, scale: Fraction
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The input that the model takes, what should come of it, and what it makes; all uint8."""
    rows, columns = model.input_shape[1:3]
    low = pair.low[:rows, :columns]
    target = pair.high[: int(low.shape[0] * scale), : int(low.shape[1] * scale)]
    result = to_uint8(np.asarray(model(low[None].astype(np.float32), training=False))[0])
    return low, target, result
