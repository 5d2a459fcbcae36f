"""A network grown from a smaller one computes the same function, and can learn more."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import pytest

from training.loop.grow import grow
from training.loop.start import copy_matching
from training.models.edge_unet import edge_unet

SMALL = {"width": 4, "lower_width": 4, "depth": 1, "lower_depth": 1}
Shake = Callable[[keras.Model], None]


def trained(scale: str, shake: Shake) -> keras.Model:
    model = edge_unet(scale=scale, **SMALL)  # type: ignore[arg-type]
    shake(model)
    return model


@pytest.fixture
def shake() -> Shake:
    def add(model: keras.Model) -> None:
        rng = np.random.default_rng(3)
        for variable in model.trainable_variables:
            noise = rng.normal(0, 0.05, variable.shape)
            variable.assign(variable.numpy() + noise.astype(np.float32))

    return add


@pytest.mark.parametrize("scale", ["2", "3/2"])
@pytest.mark.parametrize(
    "more",
    [
        {"depth": 3},
        {"lower_width": 8},
        {"width": 8, "lower_width": 12, "depth": 2, "lower_depth": 3},
        {"width": 18, "head_depth": 1},
        {"width": 20, "head_depth": 2},
    ],
)
def test_the_larger_network_begins_as_the_smaller_one(
    scale: str, more: dict[str, int], shake: Shake
) -> None:
    small = trained(scale, shake)
    large = edge_unet(scale=scale, **SMALL | more)  # type: ignore[arg-type]
    copied = copy_matching(small, large)
    filled = grow(small, large)
    assert filled
    assert sorted(copied + filled) == sorted(layer.name for layer in large.layers if layer.weights)
    frame = np.random.default_rng(0).uniform(0, 255, (1, 16, 24, 1)).astype(np.float32)
    np.testing.assert_allclose(large(frame), small(frame), atol=2e-3)


def test_new_channels_are_not_dead(shake: Shake) -> None:
    small = trained("2", shake)
    large = edge_unet(scale="2", **SMALL | {"width": 8})  # type: ignore[arg-type]
    copy_matching(small, large)
    grow(small, large)
    kernel = large.get_layer("encode0_0").merged()[0]
    assert np.abs(kernel[..., 4:]).max() > 0.01  # they see something
    assert np.abs(kernel[:, :, 4:, :4]).max() < 1e-6  # and the old ones do not listen yet


def test_a_head_too_thin_for_both_signs_keeps_its_first_weights(shake: Shake) -> None:
    large = edge_unet(scale="2", **SMALL | {"head_depth": 1})  # type: ignore[arg-type]
    before = large.get_layer("head").get_weights()[0]
    assert "head" not in grow(trained("2", shake), large)
    np.testing.assert_array_equal(large.get_layer("head").get_weights()[0], before)


def test_another_scale_keeps_its_own_head(shake: Shake) -> None:
    large = edge_unet(scale="3/2", **SMALL | {"width": 8})  # type: ignore[arg-type]
    before = large.get_layer("head").merged()[0]
    filled = grow(trained("2", shake), large)
    assert "head" not in filled
    assert "stem" in filled
    np.testing.assert_array_equal(large.get_layer("head").merged()[0], before)


def test_fresh_layers_get_new_weights(shake: Shake) -> None:
    small = trained("2", shake)
    large = edge_unet(scale="2", **SMALL | {"lower_width": 8})  # type: ignore[arg-type]
    names = ("encode0_0", "down1", "up0_mix")
    first = {name: large.get_layer(name).get_weights() for name in names}
    copied = copy_matching(small, large, names[:2]) + grow(small, large, names[:2])
    assert not set(copied).intersection(names[:2])
    for name in names:
        now = large.get_layer(name).get_weights()
        same = all(np.array_equal(a, b) for a, b in zip(first[name], now, strict=True))
        assert same == (name != "up0_mix"), name
