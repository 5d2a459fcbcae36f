"""Losses by hand, and learning from a larger network."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from training.loop.loss import EPSILON, load_teacher, make_loss
from training.models import edge_unet, vdsr
from training.recipe import Recipe, RecipeError
from training.train import main

MADE, TRUTH = np.full((1, 2, 2, 1), 51.0, np.float32), np.zeros((1, 2, 2, 1), np.float32)


@pytest.mark.parametrize(
    ("kind", "l2", "expected"),
    [
        ("l1", False, 0.2),
        ("l1", True, 0.04),
        ("charbonnier", False, (0.04 + EPSILON**2) ** 0.5),
        ("charbonnier", True, 0.04),
        ("rmse", False, (0.04 + EPSILON**2) ** 0.5),
        ("rmse", True, 0.04),
    ],
)
def test_losses(kind, l2, expected):
    loss = make_loss(Recipe("r", loss=kind))
    assert float(loss(MADE, TRUTH, np.bool_(l2))) == pytest.approx(expected, rel=1e-5)


def test_rmse_is_a_root_for_each_patch():
    made = np.zeros((2, 2, 2, 1), np.float32)
    made[0, 0, 0], made[1] = 255, 127.5  # mean squares 1/4 and 1/4, mean errors 1/4 and 1/2
    truth = np.zeros_like(made)
    rmse, l1 = (make_loss(Recipe("r", loss=kind)) for kind in ("rmse", "l1"))
    assert float(rmse(made, truth, np.bool_(False))) == pytest.approx(0.5, rel=1e-4)
    assert float(l1(made, truth, np.bool_(False))) == pytest.approx(0.375, rel=1e-4)
    made[1] = 0
    assert float(rmse(made, truth, np.bool_(False))) == pytest.approx(0.25, rel=1e-2)


@pytest.mark.slow
def test_a_run_with_a_teacher_learns_its_results(tiny_recipe, photos, tmp_path):
    """With the whole weight on a teacher the truth does not matter; without, the teacher."""
    keras.utils.set_random_seed(3)
    edge_unet(width=4, lower_width=4).save(tmp_path / "large.keras")
    log = {}
    for weight in ("0.0", "0.5", "1.0"):
        more = f'teacher = "{tmp_path}/large.keras"\nteacher_weight = {weight}'
        recipe = tiny_recipe(steps=4, more=more, name=f"taught{weight}")
        output = tmp_path / weight
        arguments = ["--recipe", str(recipe), "--data", str(photos), "--output", str(output)]
        assert main(arguments) == 0
        log[weight] = np.load(output / "last.npz")["w0000"]
    plain = tiny_recipe(steps=4, name="plain")
    assert (
        main(["--recipe", str(plain), "--data", str(photos), "--output", str(tmp_path / "p")]) == 0
    )
    np.testing.assert_allclose(log["0.0"], np.load(tmp_path / "p/last.npz")["w0000"], atol=1e-7)
    assert np.abs(log["0.5"] - log["0.0"]).max() > 1e-5
    assert np.abs(log["1.0"] - log["0.5"]).max() > 1e-5


def test_teachers_that_do_not_fit(tmp_path):
    learner = edge_unet(width=4, lower_width=4)
    assert load_teacher(Recipe("r"), learner) is None
    with pytest.raises(RecipeError, match=r"teacher: none\.keras: no such file"):
        load_teacher(Recipe("r", teacher="none.keras"), learner)
    vdsr(scale="3/2", depth=2, width=2).save(tmp_path / "half.keras")
    with pytest.raises(RecipeError, match=r"at scale 3/2; expected .* at scale 2"):
        load_teacher(Recipe("r", teacher=str(tmp_path / "half.keras")), learner)
