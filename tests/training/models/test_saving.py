"""Every network survives its .keras file, loaded in safe mode."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from training.models import (
    ARCHITECTURES,
    collapse,
    edge_unet,
    first_cnn,
    is_edge_unet,
    unet_2020,
    vdsr,
)
from training.models.sizes import model_scale, size_multiple

SMALL = {
    "edge_unet": lambda: edge_unet(width=4, lower_width=4),
    "edge_unet_1.5": lambda: edge_unet(scale="3/2", width=4, lower_width=4),
    "collapsed": lambda: collapse(edge_unet(width=4, lower_width=4)),
    "vdsr": lambda: vdsr(scale="3/2", depth=3, width=4),
    "unet_2020": lambda: unet_2020(height=80, width=160),
    "unet_2020_fit": lambda: unet_2020(height=80, width=160, target=(171, 86)),
}


@pytest.mark.parametrize("name", list(SMALL))
def test_round_trip(tmp_path, picture, upscale, shake, name):
    model = SMALL[name]()
    shake(model, 0.02)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    low = picture(80, 160, model.input_shape[3])
    np.testing.assert_array_equal(upscale(again, low), upscale(model, low))
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]


def test_round_trip_of_the_big_one(tmp_path):
    model = first_cnn()
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    for ours, theirs in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert again.output_shape == model.output_shape


def test_the_contract_of_every_architecture():
    for name, build in ARCHITECTURES.items():
        model = build(scale="3/2")
        assert model.inputs[0].name == "frame", name
        assert model.inputs[0].dtype == model.outputs[0].dtype == "float32", name
        assert model.input_shape[3] == model.output_shape[3], name
        assert not any(isinstance(layer, keras.layers.Lambda) for layer in model.layers), name
        assert model_scale(model) == 1.5, name


def test_only_edge_unet_is_taken_for_one():
    found = {name: is_edge_unet(build(scale="3/2")) for name, build in ARCHITECTURES.items()}
    assert found == dict.fromkeys(ARCHITECTURES, False) | {"edge_unet": True}


def test_size_facts():
    assert size_multiple(edge_unet(width=2, lower_width=2)) == 2
    assert size_multiple(edge_unet(width=2, lower_width=2, levels=3, scale="3/2")) == 4
    assert size_multiple(vdsr(depth=2, width=2)) == 1
    assert size_multiple(vdsr(depth=2, width=2, scale="5/4")) == 4
    assert size_multiple(unet_2020(height=80, width=160)) == 1
    with pytest.raises(ValueError, match="160x80 becomes 171x86: expected one ratio"):
        model_scale(unet_2020(height=80, width=160, target=(171, 86)))
