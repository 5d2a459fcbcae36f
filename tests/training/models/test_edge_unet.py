"""edge-unet: sizes, counts, and its branches against their one collapsed kernel."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from training.loop.validate import bicubic, to_uint8
from training.models import collapse, edge_unet
from training.models.layers import RepConv2D, compute_in


class SideBySide(keras.layers.Layer):
    """The branches of a RepConv2D run one after another and added up: conv3x3 + conv1x1 +
    conv1x1->conv3x3 + identity, then bias and ReLU. A stride of 2 keeps what the stride-1 result
    has at the odd places: TensorFlow's 'same' pads even sides at the end, so the windows' middles
    are there."""

    def __init__(self, source: RepConv2D) -> None:
        super().__init__(name=source.name)
        self.source = source

    def call(self, x):
        layer = self.source

        def conv(y, kernel):
            return tf.nn.conv2d(y, tf.convert_to_tensor(kernel), 1, "SAME")

        y = conv(x, layer.full) + conv(x, layer.point) + conv(conv(x, layer.widen), layer.narrow)
        if layer.has_identity:
            y += x * tf.convert_to_tensor(layer.identity)
        if layer.strides == 2:
            y = y[:, 1::2, 1::2]
        y += tf.convert_to_tensor(layer.bias)
        return tf.nn.relu(y) if layer.activation == "relu" else y


def branch_by_branch(model: keras.Model) -> keras.Model:
    def swap(layer):
        return SideBySide(layer) if isinstance(layer, RepConv2D) else layer

    return keras.models.clone_model(model, clone_function=swap)


def test_parameter_counts():
    # a 3x3 from 16 to 16 has 9*16*16 + 16 = 2320: two before, stride 2 down, two below, two after
    # stem 9*1*16 + 16 = 160; 1x1 on the way up 16*16 + 16 = 272; head 9*16*4 + 4 = 580
    assert 160 + 7 * 2320 + 272 + 580 == 17_252
    assert edge_unet(branches=False).count_params() == 17_252
    # branches from i to o: 9io + io + 2io + 9*2*o*o + o, and o for the identity where it is
    same, down = 7712, 7696
    assert 4816 + 6 * same + down + 272 + 1060 == 60_116
    assert edge_unet().count_params() == 60_116
    assert collapse(edge_unet()).count_params() == 17_252
    # one more 16 to 16 before a 1x1 from 16 to 4 instead of the 3x3
    assert edge_unet(branches=False, head_depth=1).count_params() == 17_252 - 580 + 2320 + 68


@pytest.mark.parametrize("head_depth", [0, 1])
@pytest.mark.parametrize(("scale", "size"), [("2", (48, 64)), ("3/2", (36, 48))])
def test_output_size(upscale, picture, scale, size, head_depth):
    model = edge_unet(scale=scale, width=4, lower_width=4, head_depth=head_depth)
    assert upscale(model, picture(24, 32, 1)).shape == (*size, 1)


@pytest.mark.parametrize("head_depth", [0, 1])
@pytest.mark.parametrize("scale", ["2", "3/2"])
def test_without_its_head_it_is_bicubic(upscale, picture, scale, head_depth):
    model = edge_unet(scale=scale, width=4, lower_width=4, head_depth=head_depth, branches=False)
    head = model.get_layer("head")
    head.set_weights([np.zeros_like(weight) for weight in head.get_weights()])
    low = picture(24, 32, 1)
    made = upscale(model, low)
    inner = slice(4, -4)
    assert np.abs(to_uint8(made) - bicubic(low, made.shape).astype(int))[inner, inner].max() <= 1


@pytest.mark.parametrize("scale", ["2", "3/2"])
@pytest.mark.parametrize(
    ("width", "lower_width", "levels", "head_depth"), [(4, 4, 2, 0), (3, 5, 3, 0), (4, 4, 2, 2)]
)
def test_collapsing_keeps_the_function(
    upscale, picture, shake, scale, width, lower_width, levels, head_depth
):
    model = edge_unet(
        scale=scale,
        width=width,
        lower_width=lower_width,
        levels=levels,
        depth=1,
        lower_depth=1,
        head_depth=head_depth,
    )
    shake(model)
    low = picture(24, 32, 1)
    expected = upscale(branch_by_branch(model), low)
    assert np.ptp(expected) > 20
    np.testing.assert_allclose(upscale(collapse(model), low), expected, atol=1e-3)
    np.testing.assert_allclose(upscale(model, low), expected, atol=1e-3)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"scale": "4"}, "scale is 4"),
        ({"width": 0}, "too small"),
        ({"head_depth": -1}, "head_depth is -1"),
        ({"scale": "3/2", "levels": 1}, "too small"),
    ],
)
def test_bad_arguments(options, text):
    with pytest.raises(ValueError, match=text):
        edge_unet(**options)


def test_bfloat16_is_for_training_only(picture, shake):
    model = edge_unet(width=8, lower_width=8)
    shake(model)
    low = picture(24, 32, 1)[None].astype(np.float32)
    exact = model(low, training=True).numpy()
    np.testing.assert_array_equal(model(low, training=False), exact)
    compute_in(model, "bfloat16")
    np.testing.assert_array_equal(model(low, training=False), exact)
    rounded = model(low, training=True)
    # bfloat16 has 8 bits of significand: a relative error of 2**-9 for each rounding
    off = np.abs(rounded.numpy() - exact)
    assert rounded.dtype == tf.float32
    assert 0 < off.max() < 2**-5 * np.abs(exact).max()
    used = {layer.name: layer.train_dtype for layer in model.layers if hasattr(layer, "full")}
    assert {name for name, dtype in used.items() if dtype == "float32"} == {"stem", "head"}
