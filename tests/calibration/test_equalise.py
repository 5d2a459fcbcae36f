"""Equalised channels: the same function, one range for all channels, less error in int8."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from calibration.frames.frames import open_frames
from calibration.network.compare import upscale_all
from calibration.network.load import load_network
from calibration.quantize.equalise import equalise, joints, rescale
from calibration.quantize.judge import Judge
from tests.calibration.networks import Builder, save_luma, save_pictures


def chain(*, activation: str = "Relu", groups: int = 1, transposed: bool = False) -> Builder:
    """x (1, 4, H, W) -> first -> activation -> second -> y."""
    b = Builder(3)
    x = b.conv("first", "x", (8, 4, 3, 3))
    more = [b.constant("slope", np.full((8, 1, 1), 0.2))] if activation == "PRelu" else []
    x = b.add(activation, "act", [x, *more])
    if transposed:
        weight = b.constant("second_w", b.rng.normal(0, 0.1, (8, 6, 2, 2)))
        b.add("ConvTranspose", "y", [x, weight], strides=[2, 2])
    else:
        weight = b.constant(
            "second_w", b.rng.normal(0, 0.1, (6 if groups == 1 else 8, 8 // groups, 3, 3))
        )
        b.add("Conv", "y", [x, weight], pads=[1] * 4, group=groups)
    return b


def run(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    return np.asarray(ReferenceEvaluator(model).run(None, {"x": x})[0])


@pytest.mark.parametrize("activation", ["Relu", "LeakyRelu", "PRelu"])
@pytest.mark.parametrize(("groups", "transposed"), [(1, False), (2, False), (8, False), (1, True)])
def test_the_function_stays(activation: str, groups: int, transposed: bool) -> None:
    b = chain(activation=activation, groups=groups, transposed=transposed)
    model = b.model([("x", 1, [1, 4, "h", "w"]), ("y", 1, [1, None, None, None])])
    found = joints(model)
    assert [(item.tensor, item.maker.name) for item in found] == [("act", "first")]
    scale = np.random.default_rng(0).uniform(0.05, 1, 8)
    changed = rescale(model, found, {"act": scale})
    x = np.random.default_rng(1).normal(0, 1, (1, 4, 9, 7)).astype(np.float32)
    assert np.allclose(run(model, x), run(changed, x), atol=1e-5)
    weights = {item.name: numpy_helper.to_array(item) for item in changed.graph.initializer}
    old = {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}
    assert np.allclose(weights["first_w"] * scale[:, None, None, None], old["first_w"], atol=1e-6)


@pytest.mark.parametrize("change", ["clip", "addition", "output", "shared"])
def test_channels_that_others_see_stay(change: str) -> None:
    b = chain(activation="Clip" if change == "clip" else "Relu")
    outputs = [("x", 1, [1, 4, "h", "w"]), ("y", 1, [1, None, None, None])]
    if change == "addition":
        b.add("Add", "z", ["act", "act"])
        outputs.append(("z", 1, [1, None, None, None]))
    if change == "output":
        outputs.append(("act", 1, [1, 8, "h", "w"]))
    if change == "shared":
        b.nodes.append(helper.make_node("Conv", ["act", "second_w"], ["again"], "again"))
        outputs.append(("again", 1, [1, None, None, None]))
    assert joints(b.model(outputs)) == []


def test_small_channels_beside_large_ones_are_made_good(tmp_path: Path) -> None:
    save_luma(tmp_path / "x2.onnx")
    save_pictures(tmp_path / "frames", 4)
    network = load_network(tmp_path / "x2.onnx")
    found = joints(network.model)
    assert found
    uneven = {
        item.tensor: np.geomspace(1, 0.02, int(_channels(network.model, item.maker.weight)))
        for item in found
    }
    uneven_one = replace(
        network, model=rescale(network.model, found, {n: 1 / s for n, s in uneven.items()})
    )
    judge = Judge(uneven_one, open_frames(tmp_path / "frames"))
    better = equalise(judge)
    assert better.model is not uneven_one.model
    same = upscale_all(better.model, network.io, judge.tuning)
    other = upscale_all(uneven_one.model, network.io, judge.tuning)
    assert max(int(np.abs(a.astype(int) - b).max()) for a, b in zip(same, other, strict=True)) <= 1
    judge.network = better
    assert equalise(judge).model is better.model  # nothing is left to gain


def _channels(model: onnx.ModelProto, weight: str) -> int:
    return next(item.dims[0] for item in model.graph.initializer if item.name == weight)
