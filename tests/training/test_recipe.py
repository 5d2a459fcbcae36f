"""Recipes: read, refused, and their digest, which checkpoints depend on."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.loop.schedule import average_decay, is_l2, learning_rate
from training.loop.start import build_model
from training.models import ARCHITECTURES
from training.recipe import Recipe, RecipeError, load_recipe

ROOT = Path(__file__).parents[2]
SHIPPED = [
    *sorted((ROOT / "training/recipes").glob("*.toml")),
    *sorted((ROOT / "lab/recipes").glob("*.toml")),
]


def refused(tmp_path: Path, text: str) -> str:
    path = tmp_path / "r.toml"
    path.write_text(text)
    with pytest.raises(RecipeError) as caught:
        load_recipe(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_recipes_build_their_network(path):
    recipe = load_recipe(path)
    assert recipe.name == path.stem
    assert recipe.architecture in ARCHITECTURES
    assert build_model(recipe).inputs[0].name == "frame"


def test_steps_can_be_replaced(tiny_recipe):
    path = tiny_recipe(steps=8)
    assert load_recipe(path).steps == 8
    assert load_recipe(path, steps=3).steps == 3
    with pytest.raises(RecipeError, match="steps is 0; expected at least 1"):
        load_recipe(path, steps=0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("stepz = 3", "unknown key 'stepz'; known: name, architecture"),
        ("steps = 'many'", "steps is 'many'; expected int"),
        ("steps = 1.5", "steps is 1.5; expected int"),
        ("steps = true", "steps is True; expected int"),
        ("scale = 2", "scale is 2; expected str"),
        ("scale = 'two'", "scale is 'two'; expected a ratio above 1 in quotes"),
        ("scale = '1/0'", "scale is '1/0'; expected a ratio"),
        ("scale = '1/2'", "scale is '1/2'; expected a ratio"),
        ("options = 3", "options is 3; expected a table"),
        ("patch = 30", "patch is 30; expected a multiple of 4"),
        ("batch = 0", "batch is 0; expected at least 1"),
        ("learning_rate = -1", "learning_rate is -1; expected more than 0"),
        ("learning_rate = nan", "learning_rate is nan; expected more than 0"),
        ("loss = 'l3'", "loss is 'l3'; expected l1 or charbonnier"),
        ("mixtures = 1.5", "mixtures is 1.5; expected 0..1"),
        ("spread = 0.5", "spread is 0.5; expected 0..0.2"),
        ("teacher_weight = 2", "teacher_weight is 2; expected 0..1"),
        ("gain_chance = 2", "gain_chance is 2; expected 0..1"),
        ('optimizer = "sgd"', "optimizer is 'sgd'; expected adam or muon"),
        ('shrinks = "half"', "shrinks is 'half'; expected numbers from 0.1 to 1 with spaces"),
        ('shrinks = "0.5 1.0"', "shrinks is '0.5 1.0'; expected numbers from 0.1 to 1"),
        ("adam_ratio = 0", "adam_ratio is 0; expected more than 0, at most 10"),
        ("steps = ", "not TOML"),
    ],
)
def test_a_bad_recipe_is_refused_in_one_line(tmp_path, text, expected):
    assert expected in refused(tmp_path, text)


def test_files_that_are_no_recipes(tmp_path):
    with pytest.raises(RecipeError, match="No such file or directory; expected a TOML recipe"):
        load_recipe(tmp_path / "none.toml")
    with pytest.raises(RecipeError, match="Is a directory"):
        load_recipe(tmp_path)
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecipeError, match="not TOML"):
        load_recipe(tmp_path / "bytes.toml")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"architecture": "unet"}, "architecture is 'unet'; expected one of edge_unet, first_cnn"),
        ({"options": {"widht": 4}}, "edge_unet has no 'widht'; expected some of width, lower_w"),
        ({"options": {"width": "4"}}, "edge_unet refuses its options"),
        ({"scale": "4"}, "edge_unet refuses its options: scale is 4"),
        (
            {"architecture": "unet_2020", "options": {"target": [1366, 768]}},
            "the model makes 1366x768 of 1280x720; training needs the recipe's scale, 2",
        ),
    ],
)
def test_networks_that_cannot_be_built(options, expected):
    with pytest.raises(RecipeError, match=expected):
        build_model(Recipe("r", **options))


def test_the_digest_is_what_running_jobs_have():
    # changing any of these numbers makes every checkpoint on disk unusable
    known = "d4247b36de9b587259fb252d60bd32ee0a280f51016a3b3610739686fc8a5971"
    assert Recipe("edge-unet-s-x2").digest() == known
    assert Recipe("edge-unet-s-x2", steps=1).digest() != known
    for later in ({"loss": "charbonnier"}, {"teacher": "x.keras"}, {"degrade": {"chance": 1}}):
        assert Recipe("edge-unet-s-x2", **later).digest() != known


def test_the_learning_rate_warms_up_and_falls():
    recipe = Recipe("r", steps=100, warmup=10, learning_rate=1e-3, final_rate=1e-5)
    rates = [learning_rate(recipe, step) for step in range(101)]
    assert rates[0] == pytest.approx(1e-4)
    assert rates[9] == rates[10] == pytest.approx(1e-3)
    assert rates[10:] == sorted(set(rates[10:]), reverse=True)
    assert rates[100] == pytest.approx(1e-5)
    assert learning_rate(Recipe("r", steps=5, warmup=0), 0) == pytest.approx(1e-3)


def test_averaging_and_loss_change_when_they_should():
    recipe = Recipe("r", steps=100, ema=0.9, l2_from=0.5)
    assert average_decay(recipe, 0) == pytest.approx(0.1)
    assert average_decay(recipe, 99) == 0.9
    assert [is_l2(recipe, step) for step in (0, 49, 50)] == [False, False, True]
