"""first-cnn: its size is fixed, so it is mostly tested without running it."""

from __future__ import annotations

import numpy as np
import pytest

from training.models import first_cnn


def test_parameters_and_sizes():
    model = first_cnn()
    # 5*5*3*128 + 128, 4*4*128*150 + 150, 7*14*150*192 + 192
    assert 9_728 + 307_350 + 2_822_592 == 3_139_670
    assert model.count_params() == 3_139_670
    assert model.input_shape == (None, 720, 1280, 3)
    assert model.output_shape == (None, 1080, 1920, 3)
    shapes = [model.get_layer(name).output.shape[1:] for name in ("patches", "near", "far")]
    assert shapes == [(144, 256, 128), (141, 253, 150), (135, 240, 192)]


def test_no_channel_starts_dark(upscale, picture):
    made = upscale(first_cnn(), picture(720, 1280, 3))
    assert made.shape == (1080, 1920, 3)
    assert made.min() > 100
    assert made.max() < 155


def test_other_scales_are_refused():
    with pytest.raises(ValueError, match="scale is 2; first_cnn is made for 3/2 only"):
        first_cnn(scale="2")


def test_the_kernels_are_not_trivial():
    assert all(np.std(kernel) > 5e-5 for kernel in first_cnn().get_weights()[::2])
