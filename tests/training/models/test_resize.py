"""Bicubic against Pillow inside, and against an edge-replicated reference to the very border."""

from __future__ import annotations

from fractions import Fraction

import keras
import numpy as np
import pytest
from PIL import Image

from training.models.layers import DepthToSpace
from training.models.resize import BicubicAnchor, BicubicResize


def keys(x: float) -> float:
    """Keys' kernel, a = -0.5, written out a second time."""
    a, x = -0.5, abs(x)
    if x < 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a if x < 2 else 0.0


def reference(line: np.ndarray, outputs: int) -> np.ndarray:
    """Bicubic along the first axis, one output at a time; beyond the border: the last sample."""
    inputs = len(line)
    made = []
    for index in range(outputs):
        centre = (index + 0.5) * inputs / outputs - 0.5
        left = int(np.floor(centre))
        made.append(
            sum(
                keys(place - centre) * line[min(max(place, 0), inputs - 1)]
                for place in range(left - 1, left + 3)
            )
        )
    return np.stack(made)


def reference_2d(image: np.ndarray, rows: int, columns: int) -> np.ndarray:
    tall = reference(image.astype(np.float64), rows)
    return reference(tall.swapaxes(0, 1), columns).swapaxes(0, 1)


def pillow(image: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Pillow's bicubic in floating point, channel by channel."""
    planes = [Image.fromarray(image[..., c].astype(np.float32)) for c in range(image.shape[2])]
    size = (columns, rows)
    return np.stack([np.asarray(p.resize(size, Image.Resampling.BICUBIC)) for p in planes], -1)


def anchored(image: np.ndarray, scale: str) -> np.ndarray:
    block = Fraction(scale).numerator
    large = DepthToSpace(block)(BicubicAnchor(scale)(image[None].astype(np.float32)))
    return np.asarray(large)[0]


@pytest.mark.parametrize("scale", ["2", "3", "4", "3/2", "5/4"])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_anchor_is_bicubic_to_the_border(picture, scale, channels):
    image = picture(24, 32, channels)
    ratio = Fraction(scale)
    if ratio.denominator == 4:
        assert image.shape[0] % 4 == 0
    made = anchored(image, scale)
    rows, columns = int(24 * ratio), int(32 * ratio)
    assert made.shape == (rows, columns, channels)
    np.testing.assert_allclose(made, reference_2d(image, rows, columns), atol=1e-3)


@pytest.mark.parametrize("scale", ["2", "3/2", "5/4"])
def test_the_anchor_is_pillow_two_pixels_inside_and_differs_at_the_border(scale):
    image = np.random.default_rng(5).integers(0, 256, (24, 32, 1), dtype=np.uint8)  # steep borders
    made = anchored(image, scale)
    theirs = pillow(image, *made.shape[:2])
    edge = int(np.ceil(2 * Fraction(scale)))
    inner = (slice(edge, -edge), slice(edge, -edge))
    np.testing.assert_allclose(made[inner], theirs[inner], atol=1e-3)
    rows, columns = made.shape[:2]
    np.testing.assert_allclose(made, reference_2d(image, rows, columns), atol=1e-3)
    # Pillow leaves out the taps beyond the border and rescales the others: a few levels apart
    assert 0.5 < np.abs(made - theirs).max() < 30


@pytest.mark.parametrize("size", [(26, 43), (24, 32), (47, 33)])
def test_the_matrices_are_bicubic_to_the_border(picture, size):
    image = picture(24, 32, 3)
    made = np.asarray(BicubicResize(*size)(image[None].astype(np.float32)))[0]
    np.testing.assert_allclose(made, reference_2d(image, *size), atol=1e-3)
    if size == (24, 32):
        np.testing.assert_allclose(made, image, atol=1e-3)


def test_matrices_and_anchor_agree(picture):
    image = picture(24, 32, 3)
    made = np.asarray(BicubicResize(36, 48)(image[None].astype(np.float32)))[0]
    np.testing.assert_allclose(made, anchored(image, "3/2"), atol=1e-3)


def test_a_resize_that_cannot_be_is_refused():
    with pytest.raises(ValueError, match="at most 30x20"):
        BicubicResize(20, 30)(np.zeros((1, 24, 32, 1), np.float32))
    with pytest.raises(ValueError, match="fixed size"):
        BicubicResize(20, 30)(keras.Input((None, None, 1)))
    with pytest.raises(ValueError, match="only enlarges"):
        BicubicAnchor("1/2")
