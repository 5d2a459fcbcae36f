"""Moving scenes: seeded, band-limited, and moved by what the path says."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from training.scenes.motion import Path, canvas, draw_density, draw_path, draw_shape, look, moving

SIZE = (64, 96)


def noise(rng: np.random.Generator, rows: int = 300, columns: int = 400) -> np.ndarray:
    return rng.integers(0, 256, (rows, columns), dtype=np.uint8)


def smooth() -> np.ndarray:
    """uint8 (300, 400): slow waves, so that subpixel shifts are exact to a level or two."""
    y, x = np.mgrid[:300, :400]
    return np.rint(128 + 50 * np.sin(x / 9) + 50 * np.cos(y / 11)).astype(np.uint8)


def still(**changes: np.ndarray) -> Path:
    plain = {"x": np.zeros(2), "y": np.zeros(2), "zoom": np.ones(2), "turn": np.zeros(2)}
    return Path(**(plain | changes))


def test_equal_seeds_give_equal_frames_and_others_do_not() -> None:
    def made(seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        return np.stack(moving(rng, partial(noise, rng), size=SIZE, frames=3))

    assert made(1).dtype == np.uint8
    assert made(1).shape == (3, *SIZE)
    np.testing.assert_array_equal(made(1), made(1))
    assert (made(1) != made(2)).any()


def test_a_still_camera_repeats_its_frame() -> None:
    seen, density = canvas(smooth(), still(), SIZE, 1.0, np.zeros(2))
    first, second = (look(seen, density, still(), frame, SIZE) for frame in (0, 1))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("density", [1.0, 2.0, 3.0])
def test_a_pan_moves_the_picture_by_what_the_path_says(density: float) -> None:
    path = still(x=np.array([0.0, 3.0]), y=np.array([0.0, -2.0]))
    seen, kept = canvas(smooth(), path, SIZE, density, np.zeros(2))
    first, second = (look(seen, kept, path, frame, SIZE).astype(int) for frame in (0, 1))
    # the camera went 3 to the right and 2 up
    assert np.abs(second[4:-4, 4:-4] - first[2:-6, 7:-1]).max() <= 2
    assert np.abs(second[4:-4, 4:-4] - first[4:-4, 4:-4]).max() > 10


def test_frames_of_a_fine_photograph_are_band_limited() -> None:
    """White noise reduced by 3 keeps a ninth of its power; decimated it would keep all."""
    picture = noise(np.random.default_rng(3))
    seen, kept = canvas(picture, still(), SIZE, 3.0, np.zeros(2))
    frame = look(seen, kept, still(), 0, SIZE)
    assert frame.var() < 0.25 * picture.var()


def test_a_small_photograph_is_mirrored_and_fills_the_frame() -> None:
    rng = np.random.default_rng(0)
    frames = moving(rng, lambda: smooth()[:40, :50], size=SIZE, frames=2)
    assert all(frame.std() > 5 for frame in frames)


def test_density_keeps_to_what_fits() -> None:
    rng = np.random.default_rng(0)
    drawn = [draw_density(rng, np.zeros((128, 192)), SIZE) for _ in range(200)]
    assert 0.75 <= min(drawn) < 0.9
    assert 1.8 < max(drawn) <= 2.0


def test_paths_are_of_every_kind() -> None:
    paths = [draw_path(np.random.default_rng(seed), 8) for seed in range(80)]
    assert any(np.ptp(path.zoom) > 0 for path in paths)
    assert any(np.ptp(path.turn) > 0 for path in paths)
    assert any(not (np.ptp(path.x) or np.ptp(path.zoom) or np.ptp(path.turn)) for path in paths)
    assert any(np.ptp(path.x) > 20 for path in paths)


def test_shapes_have_smooth_edges() -> None:
    masks = [np.asarray(draw_shape(np.random.default_rng(seed), 80, 120)) for seed in range(9)]
    assert all(mask.shape == (80, 120) and mask.any() for mask in masks)
    assert sum(mask.max() == 255 for mask in masks) >= 7
    assert any(((mask > 0) & (mask < 255)).any() for mask in masks)
