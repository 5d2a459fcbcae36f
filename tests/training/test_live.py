"""What streams do to a scene: aligned, seeded, and worse with a higher rate factor."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
from PIL import Image

from edge_sr.quality import psnr
from training.scenes.live import (
    PRESETS,
    REDUCTIONS,
    TAKEN,
    Course,
    degrade_sequence,
    draw_course,
    film,
    make_sequence,
    reduce,
)

SIZE = (64, 96)


def photograph(rng: np.random.Generator) -> np.ndarray:
    """uint8 (200, 300), 50..205: patches with soft edges, a few pixels each."""
    small = rng.integers(50, 206, (50, 75), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((300, 200), Image.Resampling.BILINEAR))


def sequence(seed: int, course: Course | None = None) -> tuple[np.ndarray, np.ndarray, dict]:
    rng = np.random.default_rng(seed)
    return make_sequence(rng, partial(photograph, rng), SIZE, course)


def enlarged(low: np.ndarray) -> np.ndarray:
    size = (low.shape[1] * 2, low.shape[0] * 2)
    return np.asarray(Image.fromarray(low).resize(size, Image.Resampling.BICUBIC))


def test_equal_seeds_give_equal_moments() -> None:
    low, high, record = sequence(4)
    again_low, again_high, again = sequence(4)
    assert low.shape == (TAKEN, 32, 48)
    assert high.shape == (TAKEN, 64, 96)
    assert low.dtype == high.dtype == np.uint8
    np.testing.assert_array_equal(low, again_low)
    np.testing.assert_array_equal(high, again_high)
    assert record == again


@pytest.mark.parametrize("kind", REDUCTIONS)
def test_every_reduction_keeps_the_picture_where_it_is(kind: str) -> None:
    """A ramp's middle stays: a shift of half a pixel would be 1 level of these 2 a pixel."""
    ramp = np.tile(np.arange(20, 220, 2, dtype=np.uint8), (40, 1))
    low = reduce(ramp, kind).astype(float)
    expected = ramp.reshape(40, 50, 2).mean(axis=2)[:20]
    assert low.shape == (20, 50)
    assert np.abs(low - expected)[3:-3, 3:-3].max() <= 0.51


@pytest.mark.parametrize("kind", REDUCTIONS)
def test_reductions_by_three_halves_keep_it_as_well(kind: str) -> None:
    ramp = np.tile(np.arange(20, 200, 2, dtype=np.uint8), (42, 1))
    low = reduce(ramp, kind, Fraction(3, 2)).astype(float)
    assert low.shape == (28, 60)
    assert np.abs(low - (20 + 3 * np.arange(60) + 0.5))[4:-4, 4:-4].max() <= 0.76


def test_only_the_sharp_reduction_lets_aliases_through() -> None:
    stripes = np.tile(np.array([40, 200], np.uint8), (40, 20))[:, :40]
    shifted = np.tile(np.array([40, 40, 200], np.uint8), (42, 14))  # period 3: above the half band
    assert np.ptp(reduce(stripes, "box")) == 0
    inner = (slice(4, -4), slice(4, -4))
    sharp, bicubic = (np.ptp(reduce(shifted, kind)[inner]) for kind in ("sharp", "bicubic"))
    assert sharp > bicubic


def test_low_and_high_show_the_same_moment() -> None:
    """The low side fits its own truth better than the one of the moment before."""
    plain = Course(frames=12, rate=20)
    moved = 0
    for seed in range(6):
        low, high, _ = sequence(seed, plain)
        own = psnr(enlarged(low[2]), high[2], border=2)
        other = psnr(enlarged(low[2]), high[0], border=2)
        assert own >= other
        moved += other < own - 3
    assert moved >= 2


def test_a_higher_rate_factor_loses_more() -> None:
    figures = []
    for rate in (14, 26, 38):
        low, _, _ = sequence(1, Course(frames=8, rate=rate))
        clean, _, _ = sequence(1, Course(frames=8, codec="none"))
        figures.append(psnr(low[1], clean[1], border=2))
    assert figures[0] > figures[1] + 2 > figures[2] + 4


def test_a_stream_differs_from_the_same_frame_coded_alone() -> None:
    """What is taken are P- and B-frames, whose artefacts come from frames before."""
    rng = np.random.default_rng(0)
    frames = [np.roll(photograph(rng)[:64, :96], shift, axis=1) for shift in range(6)]
    course = Course(frames=6, rate=30)
    together = degrade_sequence(frames, course, np.random.default_rng(0))[4]
    alone = degrade_sequence(frames[4:5], course, np.random.default_rng(0))[0]
    assert (together != alone).mean() > 0.2


def test_noise_and_blur_touch_the_low_side_only() -> None:
    clean = sequence(2, Course(frames=3, codec="none"))
    for change in ({"noise": 4.0}, {"blur": 0.8}):
        course = replace(Course(frames=3, codec="none"), **change)
        low, high, _ = sequence(2, course)
        np.testing.assert_array_equal(high, clean[1])
        assert (low != clean[0]).any()


def test_light_softness_and_a_coded_master_touch_the_truth() -> None:
    scene = [photograph(np.random.default_rng(0))[:64, :96] for _ in range(3)]
    dark = film(scene, Course(frames=3, gain=0.5))[0]
    assert np.abs(dark - (16 + 0.5 * (scene[0] - 16.0))).max() <= 0.5
    soft = film(scene, Course(frames=3, soft=1.2))[0].astype(float)
    assert np.abs(np.diff(soft)).mean() < np.abs(np.diff(scene[0].astype(float))).mean()
    assert (film(scene, Course(frames=3, master=24))[0] != scene[0]).any()
    assert film(scene, Course(frames=3)) is scene


def test_courses_cover_what_streams_do() -> None:
    drawn = [draw_course(np.random.default_rng(seed)) for seed in range(400)]
    rates = [item.rate for item in drawn if item.codec == "h264"]
    assert min(rates) == 12
    assert max(rates) == 40
    assert {item.codec for item in drawn} == {"h264", "mjpeg", "none"}
    assert {item.preset for item in drawn} == set(PRESETS)
    assert {item.reduction for item in drawn} == set(REDUCTIONS)
    plain = [item for item in drawn if not (item.noise or item.blur or item.soft)]
    assert len(plain) > 0.4 * len(drawn)
