"""Muon: orthogonal updates for the kernels in the middle, Adam for everything else."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from training.loop.muon import RMS, ConvMuon, make_optimizer, orthogonal
from training.models import edge_unet, vdsr
from training.recipe import Recipe, RecipeError


@pytest.mark.parametrize("shape", [(144, 16), (16, 32), (20, 12)])
def test_orthogonal_brings_every_direction_to_about_one(shape):
    matrix = np.random.default_rng(0).normal(0, 1e-3, shape).astype(np.float32)
    matrix[:, 0] *= 100  # one direction much stronger than the others
    found = np.linalg.svd(np.asarray(orthogonal(matrix)), compute_uv=False)
    assert found.shape == (min(shape),)
    assert found.min() > 0.6
    assert found.max() < 1.3


def test_orthogonal_of_nothing_is_nothing():
    assert not np.asarray(orthogonal(np.zeros((18, 4), np.float32))).any()


def make_variables() -> list[keras.Variable]:
    values = np.random.default_rng(1).normal(size=(3, 3, 8, 4)).astype(np.float32)
    return [
        keras.Variable(values, name="kernel"),
        keras.Variable(values, name="other"),
        keras.Variable(np.ones(4, np.float32), name="bias"),
    ]


def test_only_the_named_kernels_move_by_orthogonal_steps():
    rng = np.random.default_rng(2)
    ours, adams = make_variables(), make_variables()
    muon = ConvMuon(1e-2, [ours[0].path], adam_ratio=0.5, clip_norm=1e9)
    adam = keras.optimizers.Adam(0.5e-2)
    for optimizer, variables in ((muon, ours), (adam, adams)):
        optimizer.build(variables)
    for _ in range(3):
        gradients = [rng.normal(size=v.shape).astype(np.float32) for v in ours]
        before = ours[0].numpy()
        muon.apply([keras.ops.convert_to_tensor(g) for g in gradients], ours)
        adam.apply([keras.ops.convert_to_tensor(g) for g in gradients], adams)
    for mine, theirs in zip(ours[1:], adams[1:], strict=True):
        np.testing.assert_allclose(mine.numpy(), theirs.numpy(), rtol=1e-5)
    step = (ours[0].numpy() - before).reshape(72, 4)
    found = np.linalg.svd(step, compute_uv=False) / (1e-2 * RMS * np.sqrt(72))
    assert 0.6 < found.min() <= found.max() < 1.3
    # against the gradient, as momentum has it
    assert np.sum(step * gradients[0].reshape(72, 4)) < 0


def test_muon_is_for_the_branches_between_the_first_layer_and_the_last():
    model = edge_unet(width=8, lower_width=8, depth=1, lower_depth=1)
    found = make_optimizer(Recipe("r", optimizer="muon", adam_ratio=0.25), model)
    layers = {path.split("/")[0] for path in found.kernels}
    assert layers == {"encode0_0", "encode1_0", "down1", "decode0_0"}
    names = {path.split("/")[1] for path in found.kernels}
    assert names == {"full", "point", "widen", "narrow"}
    assert found.adam_ratio == 0.25
    with pytest.raises(RecipeError, match=r"vdsr has none .* expected adam"):
        make_optimizer(Recipe("r", architecture="vdsr", optimizer="muon"), vdsr(depth=2))
    assert type(make_optimizer(Recipe("r"), model)) is keras.optimizers.Adam


def test_muon_takes_the_middle_of_a_plain_network():
    found = make_optimizer(Recipe("r", optimizer="muon"), vdsr(depth=4, width=4))
    assert {path.split("/")[0] for path in found.kernels} == {"conv2", "conv3"}
