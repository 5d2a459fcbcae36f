"""Degraded inputs: each step does what it says, and the same every time."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from training.data.degrade import blur, degrade, make_degradation, sensor_noise, through_jpeg
from training.data.pairs import make_pair
from training.data.sampler import PatchSampler
from training.data.video_codec import through_h264
from training.recipe import Recipe, RecipeError
from training.train import main

ALL = {"chance": 0.7, "blur": 0.8, "noise": 3.0, "jpeg": [40, 95], "h264": [18, 34]}


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2)))


def batch(picture, channels: int = 1, side: int = 40) -> np.ndarray:
    return np.stack([picture(side, side, channels, seed=seed) for seed in range(5)])


@pytest.mark.parametrize("channels", [1, 3])
def test_h264_loses_more_at_a_higher_rate_factor_and_keeps_places(picture, channels):
    patches = batch(picture, channels)
    before = patches.copy()
    found = [psnr(through_h264(patches, rate), patches) for rate in (10, 26, 40)]
    assert found[0] > found[1] > found[2] > 15
    assert found[0] > (35 if channels == 1 else 25)  # colour is halved, 4:2:0
    np.testing.assert_array_equal(patches, before)
    fine = through_h264(patches, 4)
    for index, patch in enumerate(patches):  # each at its own place, not its neighbour's
        assert psnr(fine[index], patch) > psnr(fine[index], patches[index - 1]) + 10
    np.testing.assert_array_equal(through_h264(patches, 26), through_h264(patches, 26))


@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_loses_more_at_a_lower_quality(picture, channels):
    patch = picture(48, 40, channels).astype(np.float32)
    found = [psnr(through_jpeg(patch, quality), patch) for quality in (95, 50, 5)]
    assert found[0] > found[1] > found[2]


def test_blur_and_noise(picture):
    flat = np.full((20, 24, 1), 100, np.float32)
    np.testing.assert_allclose(blur(flat, 1.0), flat, atol=1e-3)
    dot = np.zeros((15, 15, 1), np.float32)
    dot[7, 7] = 1
    spread = blur(dot, 1.0)
    assert spread.sum() == pytest.approx(1, abs=1e-4)
    assert spread[7, 7, 0] == pytest.approx(1 / (2 * np.pi), rel=0.02)
    np.testing.assert_allclose(blur(dot, 1e-4), dot, atol=1e-6)
    noisy = sensor_noise(np.full((200, 200, 1), 127.5, np.float32), 3, np.random.default_rng(0))
    assert (noisy - 127.5).std() == pytest.approx(3, rel=0.02)
    dark = sensor_noise(np.zeros((200, 200, 1), np.float32), 3, np.random.default_rng(0))
    assert dark.std() == pytest.approx(1.5, rel=0.02)


def test_a_batch_is_a_pure_function_of_its_seed(picture):
    lows = batch(picture).astype(np.float32)
    how = make_degradation(ALL)
    first = degrade(lows, how, np.random.default_rng(3))
    np.testing.assert_array_equal(first, degrade(lows, how, np.random.default_rng(3)))
    assert (first != degrade(lows, how, np.random.default_rng(4))).any()
    assert first.dtype == np.float32
    assert first.min() >= 0
    assert first.max() <= 255
    untouched = degrade(
        lows, make_degradation({"chance": 0.0, "jpeg": [5, 5]}), np.random.default_rng(3)
    )
    np.testing.assert_array_equal(untouched, lows)


def test_only_the_low_side_is_touched_and_the_data_order_stays(picture):
    pairs = [make_pair(picture(96, 96, seed=seed), Fraction(2)) for seed in range(2)]
    options = {"patch": (16, 16), "batch": 4, "seed": 1}
    clean = PatchSampler(pairs, Fraction(2), **options)
    rough = PatchSampler(pairs, Fraction(2), **options, degradation=make_degradation(ALL))
    np.testing.assert_array_equal(clean.sample(7)[1], rough.sample(7)[1])
    assert (clean.sample(7)[0] != rough.sample(7)[0]).any()
    np.testing.assert_array_equal(rough.sample(7)[0], rough.sample(7)[0])


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ({"jpg": [1, 2]}, "degrade: unknown key 'jpg'; known: chance, blur, noise, jpeg, h264"),
        ({"jpeg": [90, 40]}, r"jpeg is \[90, 40\]; expected \[low, high\] within 1..100"),
        ({"h264": 20}, r"h264 is 20; expected \[low, high\] within 0..51"),
        ({"h264": [1, 99]}, "within 0..51"),
        ({"blur": -1}, "blur is -1; expected 0..3"),
        ({"chance": "often"}, "chance is 'often'; expected 0..1"),
        ({"noise": True}, "noise is True; expected 0..50"),
    ],
)
def test_bad_tables_are_refused(table, expected):
    with pytest.raises(RecipeError, match=expected):
        make_degradation(table)


def test_a_run_with_degraded_inputs(tiny_recipe, photos, tmp_path):
    recipe = tiny_recipe(steps=4)
    recipe.write_text(recipe.read_text() + "[degrade]\njpeg = [30, 60]\nnoise = 2.0\n")
    command = ["--recipe", str(recipe), "--data", str(photos), "--output", str(tmp_path / "run")]
    assert main(command) == 0
    assert make_degradation(Recipe("r").degrade) is None
