"""Sequences of known motion, and what is measured along it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.__main__ import main
from bench.models.floors import floor_sidecar, open_floor
from bench.quality.clip import measure_clip, shrink_clip
from bench.quality.flicker import flicker, still_deviation
from bench.quality.images import ImageSet
from bench.quality.scenes import HELD, PANNED, WINDOW, fixed_clips, moving_clip
from bench.rows import read_rows
from edge_sr import Upscaler
from edge_sr.errors import MediaError


def pictures(count: int = 2, side: int = 300) -> ImageSet:
    rng = np.random.default_rng(3)
    made = []
    for number in range(count):
        coarse = rng.integers(0, 256, (side // 10, side // 10), dtype=np.uint8)
        large = np.asarray(Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC))
        made.append((f"{number}.png", large))
    return ImageSet(name="set", sha256="s", pictures=tuple(made), left_out=())


def lanczos() -> Upscaler:
    card = floor_sidecar("lanczos", Fraction(2))
    return Upscaler(open_floor(card), card)


def test_the_motion_is_exact():
    clip = moving_clip(pictures())
    luma = [frame.y for frame in clip.high]
    assert luma[0].shape == (WINDOW, WINDOW)
    assert [step is None for step in clip.motion] == 2 * ([True] + (PANNED - 1) * [False])
    assert [frame.discontinuity for frame in clip.high] == [step is None for step in clip.motion]
    assert flicker(luma, luma, clip.motion, border=2) == 0
    for new, old, step in zip(luma[1:], luma, clip.motion[1:], strict=False):
        if step is not None:
            x, y = step
            assert x % 2 or y % 2
            inner = old[8 + y : 248 + y, 8 + x : 248 + x]
            assert (new[8:248, 8:248] == inner).all()


def test_flicker_counts_what_the_truth_does_not_do_along_the_motion():
    rng = np.random.default_rng(0)
    scene = rng.integers(50, 200, (80, 80)).astype(np.uint8)
    truth = [scene[10 + t : 60 + t, 10 - t : 60 - t] for t in range(4)]
    motion = [None, (-1, 1), (-1, 1), (-1, 1)]
    blinking = [frame + 6 * (number % 2) for number, frame in enumerate(truth)]
    assert flicker(blinking, truth, motion, border=2) == pytest.approx(6)
    assert flicker(blinking, blinking, motion, border=2) == 0
    cut = [None, (-1, 1), None, (-1, 1)]
    assert flicker([*truth[:2], scene[:50, :50], scene[1:51, :50]], truth, cut, border=2) > 0


def test_blocks_that_hold_still():
    rng = np.random.default_rng(1)
    truth = [np.full((70, 70), 90, np.uint8) for _ in range(8)]
    for frame in truth:
        frame[:, 40:] = rng.integers(0, 256)  # this part moves
    made = [
        np.clip(frame + rng.normal(0, 5, frame.shape), 0, 255).astype(np.uint8) for frame in truth
    ]
    assert still_deviation(made, truth, cuts=[], border=3) == pytest.approx(4.6, abs=0.5)
    assert still_deviation(truth, truth, cuts=[], border=3) == 0
    moving = [np.full((70, 70), 60 * (n % 2), np.uint8) for n in range(8)]
    assert still_deviation(made, moving, cuts=[], border=3) is None
    assert still_deviation(made, moving, cuts=[2, 4, 6], border=3) is None  # too short


def test_a_fixed_camera_is_measured_without_and_with_calm():
    plain, calm = (shrink_clip(clip, Fraction(2)) for clip in fixed_clips(pictures(1), [6]))
    assert [clip.name for clip in (plain, calm)] == [
        "set, fixed camera, noise 6",
        "set, fixed camera, noise 6, calm",
    ]
    assert len(plain.high) == HELD
    errors = np.stack([low.y.astype(float) for low in plain.low]) - plain.low[0].y
    assert errors[1:].std(axis=0).mean() == pytest.approx(6, rel=0.1)
    assert all((a.y == b.y).all() for a, b in zip(plain.low, calm.low, strict=True))
    noisy, quiet = (measure_clip(lanczos(), clip) for clip in (plain, calm))
    assert noisy.moved
    assert noisy.still_std > 3
    assert quiet.flicker < noisy.flicker / 2
    assert quiet.still_std < noisy.still_std / 2
    assert quiet.psnr_y_db > noisy.psnr_y_db + 1


def test_pictures_that_are_too_small():
    with pytest.raises(MediaError, match=r"set: no picture of 280x280 pixels or more"):
        moving_clip(pictures(side=270))


def test_the_command_measures_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for name, pixels in pictures(1).pictures:
        (tmp_path / "hr").mkdir(exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / "hr" / name)
    rows = tmp_path / "rows.jsonl"
    quick = ["--runs", "1", "--seconds", "0.01", "--size", "64x48", "--output", str(rows)]
    base = ["run", "--models", "nearest", "--images", str(tmp_path / "hr"), *quick]
    assert main([*base, "--scenes", str(tmp_path / "hr"), "--noise", "5"]) == 0
    (row,) = read_rows(rows)
    assert list(row.video) == [
        "pans over hr",
        "hr, fixed camera, noise 5",
        "hr, fixed camera, noise 5, calm",
    ]
    assert row.video["pans over hr"].flicker > 0
    assert main([*base, "--noise", "5"]) == 2
    assert "--noise was given without --scenes DIR" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([*base, "--scenes", "x", "--noise", "none"])
