"""unet-2020: topology, targets, and bicubic at the start."""

from __future__ import annotations

import numpy as np
import pytest

from training.data.pairs import to_uint8
from training.loop.start import copy_matching
from training.loop.validate import bicubic
from training.models import unet_2020


def block(inputs: int, outputs: int, stride: int, kernel: int) -> int:
    """Parameters of one strided residual block."""
    first = kernel * kernel * inputs * outputs + outputs
    second = 9 * outputs * outputs + outputs
    passed = stride * stride * inputs * outputs + outputs
    return first + second + passed


def up(inputs: int, outputs: int, kernel: int) -> int:
    return kernel * kernel * inputs * outputs + outputs


def test_parameter_count():
    halvings = [(16, 32), (32, 48), (48, 64), (64, 64)]
    encoder = 9 * 3 * 16 + 16 + sum(block(a, b, 2, 3) for a, b in halvings) + block(64, 4, 5, 5)
    flat = 16 * 9 * 4
    dense = flat * flat + flat
    doublings = [(64, 64), (64, 48), (48, 32), (32, 16), (16, 8)]
    decoder = up(4, 64, 5) + sum(up(a, b, 4) for a, b in doublings) + 9 * 8 * 3 + 3
    assert (encoder, dense, decoder) == (237_516, 332_352, 156_355)
    assert unet_2020().count_params() == encoder + dense + decoder == 726_223


def test_the_topology_is_that_of_2020():
    model = unet_2020()
    sides = [model.get_layer(f"down{n}_relu").output.shape[1:3] for n in range(1, 6)]
    assert sides == [(360, 640), (180, 320), (90, 160), (45, 80), (9, 16)]
    sides = [model.get_layer(f"skip{n}").output.shape[1:3] for n in (4, 3, 2, 1, 0)]
    assert sides == [(45, 80), (90, 160), (180, 320), (360, 640), (720, 1280)]
    assert model.get_layer("up_fine").output.shape[1:3] == (1440, 2560)
    assert "fit" not in [layer.name for layer in model.layers]


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({"scale": "2"}, (1440, 2560)),
        ({"scale": "3/2"}, (1080, 1920)),
        ({"scale": "5/4"}, (900, 1600)),
        ({"target": (1366, 768)}, (768, 1366)),
    ],
)
def test_targets_of_2020(options, size):
    assert unet_2020(**options).output_shape == (None, *size, 3)


@pytest.mark.parametrize(
    "options",
    [{"scale": "2"}, {"scale": "3/2"}, {"scale": "5/4"}, {"target": (171, 86)}],
)
def test_it_starts_as_bicubic(upscale, picture, options):
    low = picture(80, 160, 3)
    made = upscale(unet_2020(height=80, width=160, **options), low)
    inner = slice(4, -4)
    assert np.abs(to_uint8(made) - bicubic(low, made.shape).astype(int))[inner, inner].max() <= 1


def test_one_network_serves_all_targets():
    source = unet_2020(height=80, width=160)
    target = unet_2020(height=80, width=160, target=(171, 86))
    trained = [layer.name for layer in source.layers if layer.weights]
    assert copy_matching(source, target) == trained
    assert target.count_params() == source.count_params()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"scale": "3"}, "scale is 3; unet_2020 takes one of 2, 3/2, 5/4, or target"),
        ({"height": 718}, "input is 1280x718; unet_2020 needs multiples of 80"),
        ({"height": 0}, "multiples of 80"),
        ({"target": (3840, 2160)}, "target is 3840x2160; expected two numbers, 1280x720 to"),
        ({"target": (640, 360)}, "target is 640x360"),
        ({"target": (1366,)}, "expected two numbers"),
    ],
)
def test_bad_arguments(options, text):
    with pytest.raises(ValueError, match=text):
        unet_2020(**options)
