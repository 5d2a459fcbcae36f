"""Photographs in, pairs out; what cannot be used is named."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.quality.pictures import make_pair as measured_pair
from training.data.pairs import downscale, load_pairs, make_pair
from training.data.photos import DataError, find_images, fitting

TWO, HALVES = Fraction(2), Fraction(3, 2)


@pytest.mark.parametrize("scale", [TWO, HALVES, Fraction(5, 4)])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_pair_is_a_picture_and_its_downscale(scale, channels):
    rgb = np.random.default_rng(0).integers(0, 256, (71, 103, 3), dtype=np.uint8)
    pair = make_pair(rgb, scale, channels=channels, multiple=4)
    rows, columns = pair.low.shape[:2]
    assert rows % 4 == columns % 4 == 0
    assert pair.high.shape == (rows * scale, columns * scale, channels)
    assert pair.low.shape[2] == channels
    np.testing.assert_array_equal(pair.low, downscale(pair.high, scale))
    if channels == 3:
        np.testing.assert_array_equal(pair.high, rgb[: pair.high.shape[0], : pair.high.shape[1]])


def test_smaller_copies_may_differ_from_one_photograph_to_the_next(tmp_path):
    rng = np.random.default_rng(0)
    for name in "abcd":
        Image.fromarray(rng.integers(0, 256, (200, 200, 3), np.uint8)).save(
            tmp_path / f"{name}.png"
        )
    paths = sorted(tmp_path.iterdir())
    pairs, _ = load_pairs(paths, TWO, shrinks=(0.5,), spread=0.1)
    again, _ = load_pairs(paths, TWO, shrinks=(0.5,), spread=0.1)
    small = [pair.high for pair in pairs if pair.name.endswith("at 0.5")]
    for first, second in zip(pairs, again, strict=True):
        np.testing.assert_array_equal(first.high, second.high)
    sides = {picture.shape[0] for picture in small}
    assert len(sides) > 1
    assert 88 <= min(sides) <= max(sides) <= 110


def test_photographs_come_at_parts_of_their_size_too(tmp_path):
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (120, 90, 3), np.uint8)).save(tmp_path / "a.png")
    Image.fromarray(rng.integers(0, 256, (48, 60, 3), np.uint8)).save(tmp_path / "b.png")
    pairs, left_out = load_pairs(
        find_images([tmp_path]), TWO, multiple=2, shrinks=(0.7, 0.5), patch=(16, 16)
    )
    # b at half its size has 24 rows: no patch of 16, which is 32
    assert [pair.name for pair in pairs] == ["a", "a at 0.7", "a at 0.5", "b", "b at 0.7"]
    assert not left_out
    whole, most, half = pairs[:3]
    assert most.high.shape == (84, 60, 1)
    assert half.high.shape == (60, 44, 1)
    # half of noise, antialiased, is smoother than the noise, and no crop of it
    assert half.high.std() < 0.7 * whole.high.std()
    assert half.high.mean() == pytest.approx(whole.high.mean(), abs=2)


def test_photographs_come_in_all_phases(tmp_path):
    rng = np.random.default_rng(0)
    rgb = rng.integers(0, 256, (65, 91, 3), np.uint8)
    Image.fromarray(rgb).save(tmp_path / "a.png")
    Image.fromarray(rgb[:32, :40]).save(tmp_path / "b.png")
    pairs, left_out = load_pairs(
        find_images([tmp_path]), TWO, shrinks=(0.6,), phases=True, patch=(16, 16)
    )
    # b holds one patch of 16, which is 32, and none without its first row; smaller none at all
    assert [pair.name for pair in pairs] == ["a"] * 4 + ["a at 0.6"] * 4 + ["b"] * 2
    assert not left_out
    corners = [rgb[top:, left:] for top in (0, 1) for left in (0, 1)]
    for pair, corner in zip(pairs[:4], corners, strict=True):
        expected = make_pair(corner, TWO, exact=True)
        np.testing.assert_array_equal(pair.high, expected.high)
        np.testing.assert_array_equal(pair.low, expected.low)
    assert len({pair.low.tobytes() for pair in pairs}) == len(pairs)


def test_an_exact_pair_has_the_inputs_that_networks_are_measured_on():
    noise = np.random.default_rng(0).integers(60, 200, (40, 56, 3), np.uint8)
    judged = measured_pair("p", noise, TWO)
    exact = make_pair(noise, TWO, exact=True)
    rounded = make_pair(noise, TWO)
    np.testing.assert_array_equal(exact.high, rounded.high)
    inner = np.s_[2:-2, 2:-2]  # Pillow does not mirror the edge
    apart = [np.mean((pair.low[..., 0] != judged.low_y)[inner]) for pair in (exact, rounded)]
    assert apart[0] < 0.02 < 0.05 < apart[1]  # Pillow computes in 32 bits


def test_corrupt_photographs_are_named_and_skipped(photos: Path):
    whole = (photos / "photo0.png").read_bytes()
    (photos / "bad0.png").write_bytes(b"not a picture")
    (photos / "bad1.png").write_bytes(whole[: len(whole) // 2])
    (photos / "bad2.jpg").write_bytes(b"")
    (photos / "bad3.png").write_bytes(whole[:40] + bytes(60) + whole[100:])
    (photos / "bad4.png").mkdir()
    paths, left_out = fitting(find_images([photos]), TWO, patch=(16, 16))
    pairs, more = load_pairs(paths, TWO)
    assert [pair.name for pair in pairs] == [f"photo{index}" for index in range(6)]
    named = sorted(line.split(":")[0].rpartition("/")[2] for line in left_out + more)
    assert named == ["bad0.png", "bad1.png", "bad2.jpg", "bad3.png", "bad4.png"]
    assert all("unreadable" in line for line in left_out + more)


def test_a_picture_too_small_for_a_pair_is_left_out(photos: Path):
    Image.fromarray(np.zeros((1, 1, 3), np.uint8)).save(photos / "dot.png")
    pairs, left_out = load_pairs([photos / "dot.png", photos / "photo0.png"], TWO)
    assert len(pairs) == 1
    assert "1x1; expected at least 4x4" in left_out[0]


def test_no_pair_at_all_is_an_error():
    with pytest.raises(DataError, match="none of 0 pictures"):
        load_pairs([], TWO)
