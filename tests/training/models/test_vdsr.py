"""VDSR: counts, sizes, and bicubic at the start."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from training.data.pairs import to_uint8
from training.loop.validate import bicubic
from training.models import vdsr
from training.models.layers import compute_in, hidden


def test_parameter_counts():
    # 9*1*64 in, 18 times 9*64*64, 9*64*1 out; biases 19*64 + 1
    assert 576 + 18 * 36_864 + 576 == 664_704
    assert vdsr(biases=False).count_params() == 664_704
    assert vdsr().count_params() == 664_704 + 1_217 == 665_921


@pytest.mark.parametrize("scale", ["2", "3", "4", "3/2", "5/4"])
def test_it_starts_as_bicubic(upscale, picture, scale):
    low = picture(24, 32, 1)
    made = upscale(vdsr(scale=scale), low)
    ratio = Fraction(scale)
    assert made.shape == (24 * ratio, 32 * ratio, 1)
    edge = int(np.ceil(2 * ratio))
    inner = (slice(edge, -edge), slice(edge, -edge))
    assert np.abs(to_uint8(made) - bicubic(low, made.shape).astype(int))[inner].max() <= 1


def test_bad_arguments():
    with pytest.raises(ValueError, match="scale is 5; vdsr takes one of 2, 3, 4, 3/2, 5/4"):
        vdsr(scale="5")
    with pytest.raises(ValueError, match="depth 1"):
        vdsr(depth=1)


def test_its_middle_trains_in_bfloat16_and_is_float32_again():
    model = vdsr(depth=4, width=4)
    frame = np.random.default_rng(0).integers(0, 256, (1, 8, 8, 1)).astype(np.float32)
    before = np.asarray(model(frame))
    compute_in(model, "bfloat16")
    assert [layer.name for layer in hidden(model)] == ["conv2", "conv3"]
    assert model.get_layer("conv2").compute_dtype == "bfloat16"
    assert model.get_layer("conv1").compute_dtype == model.get_layer("conv4").compute_dtype
    assert model.get_layer("conv2").kernel.dtype == "float32"
    compute_in(model, "float32")
    np.testing.assert_array_equal(np.asarray(model(frame)), before)
