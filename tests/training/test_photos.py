"""Photographs are found, measured against the patch and held out; what cannot be used is named."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.data.photos import DataError, find_images, fitting, split_held_out

TWO, HALVES = Fraction(2), Fraction(3, 2)


def test_missing_and_empty_folders(tmp_path):
    with pytest.raises(DataError, match="nowhere: no such folder; expected a folder of photo"):
        find_images([tmp_path / "nowhere"])
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.raises(DataError, match=r"no picture found; expected \.png, \.jpg"):
        find_images([tmp_path])


def test_a_picture_bomb_is_skipped(photos: Path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 3_000)  # twice that is an error
    with pytest.raises(DataError, match=r"none of 6 pictures is usable; first: .*decompression"):
        fitting(find_images([photos]), TWO, patch=(16, 16))


def test_small_pictures_are_left_out_with_the_size_they_need(photos: Path):
    Image.fromarray(np.zeros((30, 200, 3), np.uint8)).save(photos / "strip.png")
    Image.fromarray(np.zeros((1, 1, 3), np.uint8)).save(photos / "dot.png")
    paths, left_out = fitting(find_images([photos]), HALVES, patch=(32, 48))
    assert len(paths) == 6
    assert [line.rpartition("/")[2] for line in left_out] == [
        "dot.png: 1x1 is smaller than a patch; expected 72x48",
        "strip.png: 200x30 is smaller than a patch; expected 72x48",
    ]


def test_nothing_usable_is_an_error(photos: Path):
    with pytest.raises(DataError, match=r"none of 6 pictures is usable; first: .*smaller"):
        fitting(find_images([photos]), TWO, patch=(720, 1280))


def test_held_out_pictures_depend_on_the_seed_alone(photos: Path):
    paths = find_images([photos])
    train, held = split_held_out(paths, 2, 1)
    assert (train, held) == split_held_out(paths, 2, 1)
    assert len(held) == 2
    assert sorted(train + held) == sorted(paths)
    assert any(split_held_out(paths, 2, seed)[1] != held for seed in range(2, 9))
    with pytest.raises(DataError, match="6 usable pictures, 6 of them held out"):
        split_held_out(paths, 6, 1)
