"""Photographs -> pairs of a picture and its downscale."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from edge_sr.quality import exact_luma_bt601, luma_bt601
from training.data.photos import UNREADABLE, DataError, need_some

WHOLE = ((0, 0),)
PHASES = ((0, 0), (0, 1), (1, 0), (1, 1))  # rows and columns left off at the top and the left


@dataclass(frozen=True)
class Pair:
    """One photograph, uint8: ``high`` (H*scale, W*scale, C) and its downscale ``low`` (H, W, C).

    C is 1 (luma, BT.601 limited range) or 3 (RGB).
    """

    name: str
    high: np.ndarray
    low: np.ndarray


def downscale(image: np.ndarray, scale: Fraction) -> np.ndarray:
    """Antialiased bicubic downscale by ``scale``, uint8 (H, W, 1 or 3); sides must divide.

    Pillow's BICUBIC is Keys' kernel (a = -0.5) widened by the scale, as MATLAB's imresize:
    the published bicubic figures of Set5, Set14 and BSD100 come out to 0.02 dB.

    Args:
        image: uint8 (H, W, 1 or 3), or float32 (H, W, 1) levels, which are rounded after it only.
    """
    height, width = (int(side / scale) for side in image.shape[:2])
    picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
    small = np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC))
    return to_uint8(small).reshape(height, width, image.shape[2])


def to_uint8(levels: np.ndarray) -> np.ndarray:
    """Grey levels as float -> uint8, rounded and clipped, as the exported file does."""
    rounded: np.ndarray = np.clip(np.rint(levels), 0, 255)
    return rounded.astype(np.uint8)


def modcrop(image: np.ndarray, multiple: int) -> np.ndarray:
    """Cut (H, W, ...) at the end until both sides are multiples of ``multiple``; a view."""
    height, width = (side - side % multiple for side in image.shape[:2])
    return image[:height, :width]


def make_pair(
    rgb: np.ndarray,
    scale: Fraction,
    *,
    channels: int = 1,
    multiple: int = 2,
    name: str = "",
    exact: bool = False,
) -> Pair:
    """A pair from uint8 (H, W, 3) RGB, cut at the right and the bottom; luma for 1 channel.

    The low side's rows and columns become multiples of ``multiple`` and of the scale's
    denominator.

    Args:
        exact: make the low side of luma that was not rounded before, as bench/quality does.

    Raises:
        DataError: the picture is too small for that.
    """
    step = multiple * scale.numerator
    if min(rgb.shape[:2]) < step:
        raise DataError(f"{rgb.shape[1]}x{rgb.shape[0]}; expected at least {step}x{step}")
    high = modcrop(luma_bt601(rgb)[..., None] if channels == 1 else rgb, step)
    if not (exact and channels == 1):
        return Pair(name, high, downscale(high, scale))
    levels = modcrop(exact_luma_bt601(rgb)[..., None].astype(np.float32), step)
    return Pair(name, high, downscale(levels, scale))


def shrunk(rgb: np.ndarray, factor: float) -> np.ndarray:
    """Antialiased bicubic copy of uint8 (H, W, 3) at ``factor`` of its size, 0 < factor < 1."""
    height, width = (max(1, round(side * factor)) for side in rgb.shape[:2])
    return np.asarray(Image.fromarray(rgb).resize((width, height), Image.Resampling.BICUBIC))


def _shrunk_nearly(rgb: np.ndarray, factor: float, spread: float, name: str) -> np.ndarray:
    """As `shrunk`, at a factor and a corner that depend on the name alone."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    small = shrunk(rgb, factor * rng.uniform(1 - spread, 1 + spread))
    top, left = rng.integers(2, size=2)
    return small[top:, left:]


def load_pairs(
    paths: list[Path],
    scale: Fraction,
    *,
    channels: int = 1,
    multiple: int = 2,
    shrinks: Sequence[float] = (),
    spread: float = 0.0,
    phases: bool = False,
    patch: tuple[int, int] = (1, 1),
) -> tuple[list[Pair], list[str]]:
    """Read photographs into pairs; returns them and one line for each that is left out.

    Args:
        shrinks: each photograph comes at these parts of its size as well, where that still holds
            a low-resolution ``patch``. Few cameras resolve what their pixels promise: a smaller
            copy holds edges and textures as sharp as those of the pictures that networks are
            judged by.
        spread: each copy's part is larger or smaller by up to so much of itself, and its first
            row and column may be missing: no two photographs are resampled alike.
        phases: every photograph and copy comes four times, with and without its first row and
            column, so that its low pixels lie at all the places they can at x2; low sides are
            ``exact``, see `make_pair`.

    Raises:
        DataError: no picture is usable.
    """
    pairs, left_out = [], []
    pair_of = partial(make_pair, scale=scale, channels=channels, multiple=multiple, exact=phases)
    step = multiple * scale.numerator
    smallest = [-(-side * scale // step) * step for side in patch]
    corners = PHASES if phases else WHOLE
    for path in tqdm(paths, desc="reading photos", unit="photo"):
        try:
            with Image.open(path) as image:
                rgb = np.asarray(image.convert("RGB"))
            pairs.append(pair_of(rgb, name=path.stem))
        except (*UNREADABLE, DataError) as error:
            left_out.append(f"{path}: unreadable ({error})")
            continue
        more = [(rgb[top:, left:], path.stem) for top, left in corners[1:]]
        for factor in shrinks:
            name = f"{path.stem} at {factor:g}"
            small = _shrunk_nearly(rgb, factor, spread, name) if spread else shrunk(rgb, factor)
            more += [(small[top:, left:], name) for top, left in corners]
        for picture, name in more:
            if all(side >= least for side, least in zip(picture.shape, smallest, strict=False)):
                pairs.append(pair_of(picture, name=name))
    return need_some(pairs, left_out)
