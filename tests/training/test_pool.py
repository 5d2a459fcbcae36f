"""Pools of moving scenes on disk, and training on them."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.data.photos import DataError
from training.make_pool import main as make_pool
from training.scenes import pool as pool_module
from training.scenes.pool import read_album, read_pool
from training.train import main as train


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "SEQUENCES", 2)
    sizes = {Fraction(2): (64, 96), Fraction(3, 2): (72, 96)}
    monkeypatch.setattr(pool_module, "SIZES", sizes)


@pytest.fixture
def names(photos: Path) -> Path:
    path = photos.parent / "held.txt"
    path.write_text("[print]\nphoto1\nphoto4\n")
    return path


def made(photos: Path, names: Path, output: Path, *more: str) -> Path:
    arguments = ["--data", str(photos), "--list", str(names), "--output", str(output), *more]
    assert make_pool([*arguments, "--shards", "2"]) == 0
    return output


def photographs(folder: Path) -> set[str]:
    records = [json.loads(path.read_text()) for path in folder.glob("*.json")]
    return {name for each in records for item in each["sequences"] for name in item["photographs"]}


def test_a_pool_is_a_function_of_its_seed(photos: Path, names: Path, tmp_path: Path) -> None:
    first = made(photos, names, tmp_path / "a")
    pairs, facts = read_pool(first)
    assert len(pairs) == facts["pool_moments"] == 2 * 2 * 3
    assert pairs[0].low.shape == (32, 48, 1)
    assert pairs[0].high.shape == (64, 96, 1)
    again, record = read_pool(made(photos, names, tmp_path / "b"))
    assert record == facts
    assert all(
        (one.high == two.high).all() and (one.low == two.low).all()
        for one, two in zip(pairs, again, strict=True)
    )
    _, other = read_pool(made(photos, names, tmp_path / "c", "--seed", "9"))
    assert other["pool_sha256"] != facts["pool_sha256"]


def test_held_out_pictures_stay_out_and_held_pools_have_no_others(
    photos: Path, names: Path, tmp_path: Path
) -> None:
    held = {"photo1", "photo4"}
    assert not photographs(made(photos, names, tmp_path / "a", "--seed", "3")) & held
    assert photographs(made(photos, names, tmp_path / "b", "--held")) <= held


def test_shards_that_are_there_are_left_alone(photos: Path, names: Path, tmp_path: Path) -> None:
    folder = made(photos, names, tmp_path / "a")
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    (folder / "0001.json").unlink()
    made(photos, names, folder)
    after = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert after.keys() == before.keys()
    assert after["0000-low.npy"] == before["0000-low.npy"]
    assert after["0001-low.npy"] > before["0001-low.npy"]


def test_empty_and_damaged_pools_are_refused(photos: Path, names: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="make_pool"):
        read_pool(tmp_path)
    folder = made(photos, names, tmp_path / "a")
    np.save(folder / "0001-low.npy", np.zeros((2, 3, 4), np.uint8))
    with pytest.raises(DataError, match="expected x2"):
        read_pool(folder)


def test_pools_at_three_halves(
    photos: Path,
    names: Path,
    tmp_path: Path,
    tiny_recipe: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    pool = made(photos, names, tmp_path / "a", "--scale", "3/2")
    pairs, _ = read_pool(pool, Fraction(3, 2))
    assert (pairs[0].low.shape, pairs[0].high.shape) == ((48, 64, 1), (72, 96, 1))
    with pytest.raises(DataError, match="expected x2"):
        read_pool(pool)
    output = tmp_path / "run"
    where = ["--pool", str(pool), "--pool-held", str(pool), "--output", str(output)]
    assert train(["--recipe", str(tiny_recipe(scale="3/2")), *where]) == 0
    capsys.readouterr()
    arguments = ["--data", str(photos), "--list", str(names), "--output", str(tmp_path / "b")]
    assert make_pool([*arguments, "--scale", "4"]) == 1
    assert "scale is 4; a pool's can be 2, 3/2" in capsys.readouterr().err


def test_an_album_draws_large_photographs_more_often(
    tmp_path: Path, picture: Callable[..., np.ndarray]
) -> None:
    for name, rows in (("small", 20), ("large", 180)):
        Image.fromarray(picture(rows, rows)).save(tmp_path / f"{name}.png")
    album = read_album(sorted(tmp_path.glob("*.png")))
    rng = np.random.default_rng(0)
    drawn = [album.draw(rng)[0] for _ in range(400)]
    assert 0.82 < drawn.count("large") / len(drawn) < 0.98


def test_training_runs_on_a_pool(
    photos: Path, names: Path, tmp_path: Path, tiny_recipe: Callable[..., Path]
) -> None:
    pool = made(photos, names, tmp_path / "a")
    held = made(photos, names, tmp_path / "b", "--held")
    output = tmp_path / "run"
    where = ["--pool", str(pool), "--pool-held", str(held), "--output", str(output)]
    assert train(["--recipe", str(tiny_recipe()), *where]) == 0
    record = json.loads((output / "best.keras.json").read_text())
    assert record["pool_moments"] == 12
    assert record["moments_held_out"] == 2
    assert len(record["pool_sha256"]) == 64


def test_a_pool_needs_a_pool_to_be_judged_on_and_a_recipe_for_it(
    tmp_path: Path, tiny_recipe: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        train(["--recipe", str(tiny_recipe()), "--pool", str(tmp_path)])
    assert "--pool-held" in capsys.readouterr().err
    recipe = tiny_recipe(more='shrinks = "0.5"')
    where = ["--pool", str(tmp_path), "--pool-held", str(tmp_path)]
    assert train(["--recipe", str(recipe), *where, "--output", str(tmp_path / "run")]) == 1
    assert "expected none with a pool" in capsys.readouterr().err
