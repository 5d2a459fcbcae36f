"""Dead channels live again, and the network computes what it did."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from training.data.pairs import make_pair
from training.loop.health import dead_channels
from training.loop.revive import revive
from training.models import edge_unet


def silence(model, name: str, channels: list[int]) -> None:
    layer = model.get_layer(name)
    bias = layer.bias.numpy()
    bias[channels] = -1e6
    layer.bias.assign(bias)


@pytest.mark.parametrize("scale", ["2", "3/2"])
def test_dead_channels_come_back_unheard(picture, scale):
    model = edge_unet(scale=scale, width=8, lower_width=8, depth=2)
    pairs = [make_pair(picture(72, 96, seed=seed), Fraction(scale)) for seed in range(3)]
    silence(model, "stem", [1])
    silence(model, "encode1_0", [0, 5])
    silence(model, "encode1_1", [2])  # read by the 1x1 on the way up
    silence(model, "encode0_1", [3])  # read by an addition, too
    low = pairs[0].low[None].astype(np.float32)
    before = model(low).numpy()
    kept = model.get_layer("encode1_0").merged()[0][..., [1, 2, 3, 4, 6, 7]]
    dead = dead_channels(model, pairs)
    assert dead["encode1_0"][[0, 5]].all()
    expected = sum(int(found.sum()) for name, found in dead.items() if name != "encode0_1")
    assert revive(model, pairs, seed=1) == expected
    np.testing.assert_allclose(model(low).numpy(), before, atol=1e-3)
    after = dead_channels(model, pairs)
    assert after["encode0_1"][3]
    assert sum(int(found.sum()) for found in after.values()) <= expected // 2 + 1
    alive = model.get_layer("encode1_0").merged()[0][..., [1, 2, 3, 4, 6, 7]]
    np.testing.assert_allclose(alive, kept, atol=1e-5)


@pytest.mark.slow
def test_a_run_that_starts_from_another_says_how_many(tiny_recipe, photos, tmp_path, capsys):
    from training.train import main

    def run(recipe, output) -> int:
        command = ["--recipe", str(recipe), "--data", str(photos), "--output", str(output)]
        return main(command)

    assert run(tiny_recipe(steps=4, name="first"), tmp_path / "first") == 0
    more = f'start_from = "{tmp_path}/first/best.keras"\nrevive = true'
    recipe = tiny_recipe(steps=4, more=more, name="second")
    recipe.write_text(recipe.read_text().replace("branches = false", "branches = true"))
    assert run(recipe, tmp_path / "second") == 0
    assert "dead channels" in capsys.readouterr().err
    recipe.write_text(recipe.read_text().replace("revive = true", "revive = 1"))
    assert run(recipe, tmp_path / "third") == 1
    assert "revive is 1; expected bool" in capsys.readouterr().err
