"""PSNR has one definition, and it is scikit-image's."""

from __future__ import annotations

import numpy as np
import pytest

from edge_sr.quality import luma_bt601, psnr, standard_border


@pytest.mark.parametrize("border", [0, 1, 4])
def test_psnr_is_the_definition(border: int) -> None:
    rng = np.random.default_rng(border)
    a, b = rng.integers(0, 256, (2, 31, 45), dtype=np.uint8)
    inner = (slice(border, 31 - border), slice(border, 45 - border))
    error = a[inner].astype(float) - b[inner].astype(float)
    assert psnr(a, b, border=border) == pytest.approx(10 * np.log10(255**2 / (error**2).mean()))


def test_psnr_agrees_with_scikit_image() -> None:
    metrics = pytest.importorskip("skimage.metrics", reason="pip install scikit-image")
    a, b = np.random.default_rng(9).integers(0, 256, (2, 40, 50, 3), dtype=np.uint8)
    expected = metrics.peak_signal_noise_ratio(a, b, data_range=255)
    assert psnr(a, b, border=0) == pytest.approx(expected, abs=1e-9)


def test_psnr_of_one_level_everywhere_is_48_13_db() -> None:
    a = np.full((8, 8), 100, np.uint8)
    assert psnr(a, a + 1, border=0) == pytest.approx(48.1308, abs=1e-4)
    assert psnr(a, a, border=0) == float("inf")


def test_psnr_refuses_what_cannot_be_compared() -> None:
    a = np.zeros((8, 8), np.uint8)
    with pytest.raises(ValueError, match=r"\(8, 8\) and \(8, 9\)"):
        psnr(a, np.zeros((8, 9), np.uint8), border=0)
    with pytest.raises(ValueError, match="nothing is left inside a border of 4"):
        psnr(a, a, border=4)


def test_luma_has_the_ends_of_bt601() -> None:
    poles = np.array(
        [[[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8
    )
    assert luma_bt601(poles).tolist() == [[16, 235, 81, 145, 41]]


@pytest.mark.parametrize(("scale", "border"), [(2, 2), (1.5, 2), (3, 3)])
def test_the_standard_border_is_the_scale_rounded_up(scale: float, border: int) -> None:
    assert standard_border(scale) == border
