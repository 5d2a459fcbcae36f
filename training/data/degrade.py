"""Inputs as real cameras and streams deliver them: soft, noisy, compressed.

A recipe's ``[degrade]`` table::

    [degrade]
    chance = 0.8        # of a patch to be touched at all
    blur = 0.8          # largest sigma of a Gaussian, pixels
    noise = 3.0         # largest standard deviation of the sensor's noise, grey levels
    jpeg = [40, 95]     # Pillow's quality, drawn between
    h264 = [18, 34]     # x264's constant rate factor, drawn between

What is left out is not done. Only the low side is touched; the truth stays clean. A compressed
patch is either JPEG or H.264 where the table has both.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from PIL import Image

from training.data.video_codec import through_h264
from training.recipe import RecipeError


@dataclass(frozen=True)
class Degradation:
    """How much of what. Ranges are inclusive."""

    chance: float = 1.0
    blur: float = 0.0
    noise: float = 0.0
    jpeg: tuple[int, int] | None = None
    h264: tuple[int, int] | None = None


def make_degradation(table: dict[str, Any]) -> Degradation | None:
    """From a recipe's table; None where it is empty.

    Raises:
        RecipeError: a key is unknown, or a value is out of range.
    """
    if not table:
        return None
    known = [item.name for item in fields(Degradation)]
    for key in table:
        if key not in known:
            raise RecipeError(f"degrade: unknown key {key!r}; known: {', '.join(known)}")
    limits = {"chance": 1.0, "blur": 3.0, "noise": 50.0}
    for key, most in limits.items():
        value = table.get(key, 0)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= most:
            raise RecipeError(f"degrade: {key} is {value!r}; expected 0..{most:g}")
    ranges = {"jpeg": (1, 100), "h264": (0, 51)}
    found = {key: table[key] for key in limits if key in table}
    for key, (least, last) in ranges.items():
        if key in table:
            found[key] = _range(key, table[key], least, last)
    return Degradation(**found)


def _range(key: str, value: object, least: int, most: int) -> tuple[int, int]:
    good = isinstance(value, list) and len(value) == 2 and all(type(item) is int for item in value)
    if not (isinstance(value, list) and good and least <= value[0] <= value[1] <= most):
        raise RecipeError(
            f"degrade: {key} is {value!r}; expected [low, high] within {least}..{most}"
        )
    return value[0], value[1]


def degrade(lows: np.ndarray, how: Degradation, rng: np.random.Generator) -> np.ndarray:
    """A batch as a camera would have delivered it.

    Args:
        lows: float32 (B, h, w, C), levels 0..255.

    Returns float32 of whole levels where a patch was touched; a pure function of its arguments.
    """
    result = lows.copy()
    drawn = rng.random(len(lows)) < how.chance
    for_h264: list[int] = []
    for index in np.flatnonzero(drawn):
        patch = result[index]
        patch = blur(patch, rng.uniform(0, how.blur)) if how.blur else patch
        patch = sensor_noise(patch, rng.uniform(0, how.noise), rng) if how.noise else patch
        result[index] = np.clip(np.rint(patch), 0, 255)
        coders = [name for name in ("jpeg", "h264") if getattr(how, name)]
        coder = coders[int(rng.integers(len(coders)))] if coders else None
        if coder == "jpeg" and how.jpeg:
            result[index] = through_jpeg(result[index], int(rng.integers(*_closed(how.jpeg))))
        elif coder == "h264":
            for_h264.append(int(index))
    if for_h264 and how.h264:
        rate = int(rng.integers(*_closed(how.h264)))
        result[for_h264] = through_h264(result[for_h264].astype(np.uint8), rate)
    return result


def blur(patch: np.ndarray, sigma: float) -> np.ndarray:
    """float32 (h, w, C) through a Gaussian of ``sigma`` pixels; edges are repeated."""
    reach = max(1, int(np.ceil(3 * sigma)))
    offsets = np.arange(-reach, reach + 1)
    taps = np.exp(-(offsets**2) / (2 * max(sigma, 1e-3) ** 2)).astype(np.float32)
    taps /= taps.sum()
    for axis in (0, 1):
        pad = [(reach, reach) if side == axis else (0, 0) for side in range(3)]
        padded = np.pad(patch, pad, mode="edge")
        size = patch.shape[axis]
        parts = [np.take(padded, range(i, i + size), axis=axis) for i in range(len(taps))]
        patch = np.asarray(
            sum(tap * part for tap, part in zip(taps, parts, strict=True)), np.float32
        )
    return patch


def sensor_noise(patch: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Add noise that grows with light, as a sensor's: ``sigma`` levels at mid-grey."""
    level = sigma * np.sqrt(0.25 + 1.5 * np.clip(patch, 0, 255) / 255)
    return np.asarray(patch + rng.normal(size=patch.shape) * level, np.float32)


def through_jpeg(patch: np.ndarray, quality: int) -> np.ndarray:
    """float32 (h, w, 1 or 3) of whole levels, coded and decoded as JPEG 4:2:0."""
    pixels = patch.astype(np.uint8)
    buffer = io.BytesIO()
    picture = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    picture.save(buffer, "JPEG", quality=quality)
    with Image.open(buffer) as decoded:
        return np.asarray(decoded, np.float32).reshape(patch.shape)


def _closed(pair: Sequence[int]) -> tuple[int, int]:
    return pair[0], pair[1] + 1
