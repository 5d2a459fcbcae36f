"""The protocol gives the published figures; the metrics are scikit-image's."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from beside import EVAL, needs_eval
from numpy.typing import NDArray
from PIL import Image

from bench.models.floors import floor_sidecar, open_floor
from bench.quality.images import list_images, read_set
from bench.quality.imresize import imresize
from bench.quality.pictures import make_pair, measure
from bench.quality.ssim import ssim
from edge_sr import Upscaler
from edge_sr.errors import FrameError
from edge_sr.quality import exact_luma_bt601, psnr


def floor(kind: str, scale: str = "2") -> Upscaler:
    card = floor_sidecar(kind, Fraction(scale))
    return Upscaler(open_floor(card), card)


@pytest.mark.slow
@needs_eval
@pytest.mark.parametrize(
    ("name", "published", "count"),
    [("Set5", 33.66, 5), ("Set14", 30.24, 14), ("BSD100", 29.56, 100)],
)
def test_bicubic_is_the_published_one(name: str, published: float, count: int) -> None:
    images = read_set(name, list_images(EVAL / name))
    assert len(images.pictures) == count
    scores = []
    for _, picture in images.pictures:
        rows, columns = (side - side % 2 for side in picture.shape[:2])
        high = picture[:rows, :columns]
        y = exact_luma_bt601(high) if high.ndim == 3 else high
        low = imresize(y, columns // 2, rows // 2)
        scores.append(psnr(imresize(low, columns, rows), y, border=2))
    assert np.mean(scores) == pytest.approx(published, abs=0.02)


@needs_eval
def test_the_bicubic_floor_is_it_too() -> None:
    images = read_set("Set5", list_images(EVAL / "Set5"))
    with floor("bicubic") as upscaler:
        pairs = [make_pair(name, picture, Fraction(2)) for name, picture in images.pictures]
        scores = [measure(upscaler, pair)[0].psnr_y_db for pair in pairs]
    assert np.mean(scores) == pytest.approx(33.66, abs=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("border", [0, 3])
@pytest.mark.parametrize("kind", [np.uint8, np.float64])
def test_metrics_agree_with_scikit_image(border: int, kind: type) -> None:
    metrics = pytest.importorskip("skimage.metrics", reason="pip install scikit-image")
    rng = np.random.default_rng(border)
    a = rng.integers(0, 256, (47, 61)).astype(kind)
    b = np.clip(a + rng.normal(0, 12, a.shape), 0, 255).astype(kind)
    inner = slice(border, -border or None)
    c, d = a[inner, inner], b[inner, inner]
    exact = {"data_range": 255, "gaussian_weights": True, "use_sample_covariance": False}
    expected = metrics.structural_similarity(c, d, sigma=1.5, **exact)
    assert ssim(a, b, border=border) == pytest.approx(expected, abs=1e-6)
    expected = metrics.peak_signal_noise_ratio(c, d, data_range=255)
    assert psnr(a, b, border=border) == pytest.approx(expected, abs=1e-6)


def test_ssim_refuses_what_cannot_be_compared() -> None:
    a = np.zeros((20, 20), np.uint8)
    assert ssim(a, a, border=2) == pytest.approx(1)
    with pytest.raises(ValueError, match=r"\(20, 20\) and \(20, 21\)"):
        ssim(a, np.zeros((20, 21), np.uint8), border=2)
    with pytest.raises(ValueError, match="window"):
        ssim(a, a, border=5)


def test_imresize_keeps_flat_and_ramps_and_mirrors_the_edge() -> None:
    assert (imresize(np.full((10, 12, 3), 77, np.uint8), 24, 5) == 77).all()
    ramp = np.tile(np.arange(0, 200, 2, dtype=np.uint8), (8, 1))
    half = imresize(ramp, 50, 4)
    assert half[2, 10:40].tolist() == [4 * i + 1 for i in range(10, 40)]
    impulse = np.zeros((1, 8), np.uint8)
    impulse[0, 0] = 255
    # MATLAB R2023b: imresize(uint8([255 0 0 0 0 0 0 0]), [1 4], "bicubic")
    assert imresize(impulse, 4, 1)[0, 3] == 0


def test_imresize_is_close_to_pillows(picture: NDArray[np.uint8]) -> None:
    ours = imresize(picture, 48, 32).astype(int)
    theirs = np.asarray(Image.fromarray(picture).resize((48, 32), Image.Resampling.BICUBIC))
    assert np.abs(ours - theirs)[2:-2, 2:-2].max() <= 1


@pytest.mark.parametrize(("scale", "size"), [("2", (62, 94)), ("3/2", (63, 93))])
def test_the_truth_is_cut_to_multiples(
    picture: NDArray[np.uint8], scale: str, size: tuple[int, int]
) -> None:
    pair = make_pair("p", picture[:63, :95], Fraction(scale))
    assert pair.high.shape[:2] == pair.high_y.shape == pair.plain_y.shape == size
    assert pair.border == 2
    with floor("lanczos", scale) as upscaler:
        score, y, result = measure(upscaler, pair)
    assert y.shape == size
    assert result.shape == (*size, 3)
    assert 20 < score.psnr_y_db < 60
    assert score.psnr_rgb_db is not None


def test_grey_pictures_are_their_own_luma(picture: NDArray[np.uint8]) -> None:
    pair = make_pair("p", picture[..., 0], Fraction(2))
    assert (pair.high_y == picture[..., 0]).all()
    with floor("nearest") as upscaler:
        assert measure(upscaler, pair)[0].psnr_rgb_db is None


def test_pictures_that_are_too_small_are_refused(picture: NDArray[np.uint8]) -> None:
    with pytest.raises(FrameError, match="is 14x64; x2 needs sides of 15 or more"):
        make_pair("p", picture[:, :14], Fraction(2))


def test_a_result_of_another_size_is_an_error(picture: NDArray[np.uint8]) -> None:
    with floor("nearest", "3") as upscaler, pytest.raises(FrameError, match="scale is not the one"):
        measure(upscaler, make_pair("p", picture, Fraction(2)))
