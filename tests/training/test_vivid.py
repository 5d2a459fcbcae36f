"""The sharpened truth: sharper where there is detail, flat where it was flat, halos bounded."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from training.data.photos import DataError
from training.make_pool import main as make_pool
from training.scenes import pool as pool_module
from training.scenes.pool import VIVID, read_pool
from training.scenes.vivid import PART, ROOM, main, vivid
from training.train import main as train


def soft_edges(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(40, 216, (12, 16), dtype=np.uint8))
    large = small.resize((128, 96), Image.Resampling.NEAREST)
    return np.asarray(large.filter(ImageFilter.GaussianBlur(1)))


def test_edges_become_steeper() -> None:
    picture = soft_edges()
    made = vivid(picture)
    assert made.dtype == np.uint8
    assert made.shape == picture.shape
    before, after = (np.abs(np.diff(item.astype(float))).max() for item in (picture, made))
    assert after > 1.15 * before


def test_flat_parts_and_slopes_stay() -> None:
    flat = np.full((40, 40), 90, np.uint8)
    np.testing.assert_array_equal(vivid(flat), flat)
    slope = np.tile(np.arange(20, 180, 2, dtype=np.uint8), (40, 1))
    inner = (slice(10, -10), slice(10, -10))
    assert np.abs(vivid(slope).astype(int) - slope)[inner].max() <= 1


@pytest.mark.parametrize("seed", range(4))
def test_halos_are_bounded_by_the_neighbourhood(seed: int) -> None:
    """By windows taken one by one, of a picture with the hardest edges there are."""
    rng = np.random.default_rng(seed)
    hard = (
        rng.choice(np.array([0, 30, 128, 220, 255], np.uint8), (16, 20)).repeat(3, 0).repeat(3, 1)
    )
    made = vivid(hard).astype(float)
    rows, columns = hard.shape
    for y in range(2, rows - 2):
        for x in range(2, columns - 2):
            near = hard[y - 2 : y + 3, x - 2 : x + 3].astype(float)
            room = ROOM + PART * np.ptp(near)
            assert near.min() - room <= made[y, x] <= near.max() + room


def test_training_learns_the_sharpened_truth(
    photos: Path,
    tmp_path: Path,
    tiny_recipe: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(pool_module, "SEQUENCES", 1)
    pool = tmp_path / "pool"
    assert make_pool(["--data", str(photos), "--output", str(pool), "--shards", "1"]) == 0
    with pytest.raises(DataError, match="cannot be read"):
        read_pool(pool, truth=VIVID)
    assert main(["--pool", str(pool)]) == 0
    assert main(["--pool", str(pool)]) == 0  # what is there is left alone
    plain, sharp = (read_pool(pool, truth=truth)[0][0].high for truth in ("high", VIVID))
    np.testing.assert_array_equal(sharp[..., 0], vivid(np.array(plain[..., 0])))
    recipe = tiny_recipe(more="vivid = true", name="sharp")
    output = tmp_path / "run"
    where = ["--pool", str(pool), "--pool-held", str(pool), "--output", str(output)]
    assert train(["--recipe", str(recipe), *where]) == 0
    assert json.loads((output / "best.keras.json").read_text())["recipe"]["vivid"] is True
    capsys.readouterr()
    assert (
        train(["--recipe", str(recipe), "--data", str(photos), "--output", str(output / "b")]) == 1
    )
    assert "vivid is true; expected a pool" in capsys.readouterr().err
