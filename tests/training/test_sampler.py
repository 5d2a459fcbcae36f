"""Batches: the same for the same step, true pairs, and texture before sky."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from edge_sr.quality import luma_bt601
from training.data.pairs import Pair, downscale, make_pair
from training.data.sampler import LUMA, PatchSampler, grey, mixture


def sampler(pairs: list[Pair], scale: Fraction, **options) -> PatchSampler:
    return PatchSampler(pairs, scale, **({"patch": (24, 24), "batch": 8, "seed": 3} | options))


@pytest.fixture(params=["2", "3/2", "5/4"])
def scale(request) -> Fraction:
    return Fraction(request.param)


@pytest.fixture
def pairs_of(picture):
    def make(scale: Fraction, channels: int = 1) -> list[Pair]:
        made = (picture(130, 170, seed=seed) for seed in range(3))
        return [make_pair(rgb, scale, channels=channels, multiple=4) for rgb in made]

    return make


def test_a_batch_depends_on_seed_and_step_alone(pairs_of, scale):
    first, again = (sampler(pairs_of(scale), scale) for _ in range(2))
    later = list(again.batches(5, 8))
    for step, batch in zip(range(5, 8), later, strict=True):
        for ours, theirs in zip(first.sample(step), batch, strict=True):
            np.testing.assert_array_equal(ours, theirs)
    assert not np.array_equal(first.sample(5)[0], first.sample(6)[0])
    other = sampler(pairs_of(scale), scale, seed=4)
    assert not np.array_equal(first.sample(5)[0], other.sample(5)[0])


@pytest.mark.parametrize("channels", [1, 3])
def test_low_is_the_downscale_of_high(pairs_of, scale, channels):
    patches = sampler(pairs_of(scale, channels), scale, batch=24, gain_chance=0.0)
    low, high = patches.sample(0)
    side = int(24 * scale)
    assert low.shape == (24, 24, 24, channels)
    assert high.shape == (24, side, side, channels)
    assert low.dtype == high.dtype == np.float32
    inner = slice(4, -4)
    for ours, theirs in zip(low, high, strict=True):
        made = downscale(theirs.astype(np.uint8), scale).astype(np.float32)
        # Pillow rounds between its two passes, which a quarter turn swaps
        difference = np.abs(made - ours)[inner, inner]
        assert difference.max() <= 2
        assert difference.mean() < 0.3


def test_mixtures_make_grey_of_colours_on_both_sides_alike(pairs_of, scale):
    patches = sampler(pairs_of(scale, 3), scale, batch=24, gain_chance=0.0, mixtures=1.0)
    low, high = patches.sample(0)
    assert (low.shape[3], high.shape[3]) == (1, 1)
    assert 16 <= low.min() < low.max() <= 235
    inner = slice(4, -4)
    for ours, theirs in zip(low, high, strict=True):
        made = downscale(theirs.astype(np.uint8), scale).astype(np.float32)
        assert np.abs(made - ours)[inner, inner].mean() < 0.6
    luma = sampler(pairs_of(scale), scale, batch=24, gain_chance=0.0)
    assert not np.array_equal(luma.sample(0)[0], low)


def test_a_mixture_is_luma_or_anything(picture):
    rng = np.random.default_rng(0)
    drawn = [mixture(rng, 0.7) for _ in range(400)]
    np.testing.assert_allclose(np.sum(drawn, axis=1), 1)
    share = np.mean([np.array_equal(parts, LUMA) for parts in drawn])
    assert share == pytest.approx(0.3, abs=0.08)
    assert min(parts.max() for parts in drawn) < 0.5 < 0.9 < max(parts.max() for parts in drawn)
    rgb = picture(40, 50, seed=1)
    np.testing.assert_allclose(grey(rgb, LUMA)[..., 0], luma_bt601(rgb), atol=1)


def test_every_flip_and_turn_is_drawn():
    low = np.arange(48 * 48, dtype=np.uint16).reshape(48, 48, 1) % 251
    pair = Pair("", low.repeat(2, 0).repeat(2, 1).astype(np.uint8), low.astype(np.uint8))
    patches = sampler([pair], Fraction(2), patch=(48, 48), batch=200, gain_chance=0.0)
    seen = {patch.tobytes() for patch in patches.sample(0)[0]}
    assert len(seen) == 8


def test_oblong_patches_are_not_turned(pairs_of):
    pairs = pairs_of(Fraction(2))
    low, high = sampler(pairs, Fraction(2), patch=(16, 32)).sample(0)
    assert low.shape == (8, 16, 32, 1)
    assert high.shape == (8, 32, 64, 1)


def test_a_patch_as_large_as_the_picture(picture):
    pair = make_pair(picture(144, 192), Fraction(3, 2), channels=3)
    low, high = sampler(
        [pair], Fraction(3, 2), patch=pair.low.shape[:2], batch=1, gain_chance=0.0
    ).sample(0)
    assert np.array_equal(low[0], pair.low) or np.array_equal(low[0], pair.low[:, ::-1])
    assert high[0].shape == pair.high.shape


def test_texture_is_preferred_to_flat(picture):
    flat = np.full((96, 96, 1), 128, np.uint8)
    busy = picture(96, 96, 1)
    pairs = [Pair("flat", flat.repeat(2, 0).repeat(2, 1), flat)]
    pairs.append(Pair("busy", busy.repeat(2, 0).repeat(2, 1), busy))
    low, _ = sampler(pairs, Fraction(2), batch=400, gain_chance=0.0).sample(0)
    flat_part = np.mean([np.ptp(patch) == 0 for patch in low])
    assert 0 < flat_part < 0.2


def test_gain_keeps_levels_within_range_and_the_pair_together():
    pair = make_pair(np.full((64, 64, 3), 255, np.uint8), Fraction(2), channels=3)
    low, high = sampler([pair], Fraction(2), batch=50, gain_chance=1.0).sample(0)
    assert low.min() >= 0
    assert low.max() <= 255.001
    assert np.ptp(low[:, 0, 0, 0]) > 10
    np.testing.assert_allclose(low[:, 0, 0, 0], high[:, 0, 0, 0], rtol=1e-6)
