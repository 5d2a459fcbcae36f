"""Drawn pictures: seeded, of all kinds, band-limited, and drawn from as often as a recipe says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training import draw
from training.data.photos import DataError
from training.draw import draw_picture, kinds, main
from training.drawings.canvas import FINER, blank, finish, in_perspective, pen_of, two_levels
from training.drawings.lettering import FONTS, find_fonts, scripts_of
from training.drawings.line_art import grating, zone_plate
from training.train import main as train

SIDE = 64


@pytest.fixture
def fonts() -> list[Path]:
    if not FONTS.is_dir() or not any(scripts_of(path) for path in find_fonts()):
        pytest.skip("no font is installed")
    return find_fonts()


def test_every_kind_is_seeded_and_shows_something(fonts: list[Path]) -> None:
    known = kinds(fonts)
    assert sum(part for part, _ in known.values()) == pytest.approx(1)
    for name, (_, drawn) in known.items():
        made = [finish(drawn(np.random.default_rng(seed), SIDE)) for seed in (0, 1, 2, 0)]
        assert all(item.shape == (SIDE, SIDE) and item.dtype == np.uint8 for item in made), name
        np.testing.assert_array_equal(made[0], made[3], err_msg=name)
        assert (made[0] != made[1]).any(), name
        assert max(item.std() for item in made) > 3, name


def test_pictures_are_a_function_of_the_seed(fonts: list[Path]) -> None:
    name, made = draw_picture(np.random.default_rng(3), fonts, SIDE)
    again, repeated = draw_picture(np.random.default_rng(3), fonts, SIDE)
    assert name == again
    np.testing.assert_array_equal(made, repeated)


def test_finishing_is_antialiased() -> None:
    """Lines of one canvas pixel become grey; a decimated picture would have black ones."""
    canvas = blank(SIDE, 255)
    for x in range(0, canvas.width, 2):
        pen_of(canvas).line((x, 0, x, canvas.height), fill=0)
    made = finish(canvas)
    assert np.abs(made[:, 2:-2].astype(int) - 128).max() <= 2


def energy_beyond(picture: np.ndarray, frequency: float) -> float:
    """Part of the picture's variance above ``frequency`` periods a pixel along either axis."""
    centred = picture - picture.mean()
    window = np.hanning(len(picture))
    power = np.abs(np.fft.fft2(centred * window * window[:, None])) ** 2
    found = np.abs(np.fft.fftfreq(len(picture)))
    beyond = np.maximum(found, found[:, None]) > frequency
    return float(power[beyond].sum() / power.sum())


@pytest.mark.parametrize("drawn", [grating, zone_plate])
def test_fine_patterns_do_not_alias(drawn: Callable[..., Image.Image]) -> None:
    """Four times as fine, decimated, they hold far more at the band's end than when reduced."""
    beyond = []
    for seed in range(6):
        canvas = drawn(np.random.default_rng(seed), SIDE)
        decimated = np.asarray(canvas)[::FINER, ::FINER].astype(float)
        beyond.append(
            (energy_beyond(finish(canvas).astype(float), 0.46), energy_beyond(decimated, 0.46))
        )
    kept, folded = np.mean(beyond, axis=0)
    assert kept < min(0.1, 0.8 * folded)


def test_perspective_moves_corners_and_no_more() -> None:
    canvas = blank(SIDE, 0)
    canvas.paste(255, (canvas.width // 4, 0, canvas.width // 2, canvas.height))
    same = in_perspective(np.random.default_rng(0), canvas, 0.0)
    assert np.abs(np.asarray(same, int) - np.asarray(canvas, int)).max() <= 1
    widths = []
    for seed in range(8):
        slanted = in_perspective(np.random.default_rng(seed), canvas, 0.25)
        widths.append((np.asarray(slanted) > 127).sum(axis=1))
    assert min(width.min() for width in widths) >= canvas.width // 4 - 1
    assert max(np.ptp(width) for width in widths) > 8


def test_levels_are_apart() -> None:
    drawn = [two_levels(np.random.default_rng(seed), 90) for seed in range(100)]
    assert all(abs(ground - ink) >= 90 for ground, ink in drawn)
    assert 10 < sum(ground < ink for ground, ink in drawn) < 60


def test_a_folder_without_fonts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no font found"):
        find_fonts(tmp_path)


def test_a_file_that_is_no_font_has_no_scripts(tmp_path: Path) -> None:
    path = tmp_path / "broken.ttf"
    path.write_bytes(b"no font")
    assert scripts_of(path) == ()


@pytest.fixture
def drawn(fonts: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(draw, "SIDE", SIDE)
    folder = tmp_path / "drawn"
    assert main(["--output", str(folder), "--count", "5"]) == 0
    return folder


def test_the_manifest_names_pictures_and_fonts(drawn: Path, fonts: list[Path]) -> None:
    record = json.loads((drawn / "drawn.json").read_text())
    assert sorted(record["sha256"]) == sorted(path.name for path in drawn.glob("*.png"))
    assert record["fonts"] == [path.name for path in fonts]


@pytest.mark.slow
def test_training_draws_from_them(
    drawn: Path, photos: Path, tmp_path: Path, tiny_recipe: Callable[..., Path]
) -> None:
    recipe = tiny_recipe(more="drawn = 0.5", name="some-drawn")
    output = tmp_path / "run"
    where = ["--data", str(photos), "--drawn", str(drawn), "--output", str(output)]
    assert train(["--recipe", str(recipe), *where]) == 0
    record = json.loads((output / "best.keras.json").read_text())
    assert record["pictures_drawn"] == 5
    assert len(record["drawn_sha256"]) == 64


def test_recipe_and_arguments_agree(
    photos: Path,
    tmp_path: Path,
    tiny_recipe: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = ["--data", str(photos), "--output", str(tmp_path / "run")]
    wants = tiny_recipe(more="drawn = 0.5", name="wants")
    assert train(["--recipe", str(wants), *data]) == 1
    assert "expected --drawn with the folder that" in capsys.readouterr().err
    assert train(["--recipe", str(tiny_recipe()), *data, "--drawn", str(tmp_path)]) == 1
    assert "drawn is 0; expected more than 0" in capsys.readouterr().err
    both = tiny_recipe(more="drawn = 0.5\ntaught = 0.2", name="both")
    assert train(
        ["--recipe", str(both), *data, "--drawn", str(tmp_path), "--taught", str(tmp_path)]
    )
    with pytest.raises(SystemExit):
        train(["--recipe", str(wants), "--pool", "p", "--pool-held", "p", "--drawn", "d"])
