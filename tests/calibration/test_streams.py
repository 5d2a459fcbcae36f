"""A stream of the picture inside the weights: taken apart, the same function, and better int8."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from calibration.frames.frames import open_frames
from calibration.network.load import load_network
from calibration.network.streams import BETWEEN, FEATURES, PICTURE, split_streams
from calibration.quantize.int8 import quantise_network
from calibration.quantize.judge import Judge
from calibration.quantize.ranges import measure_ranges
from calibration.quantize.search import find_plan
from tests.calibration.networks import Builder, save_pictures

CARRIED = (2, 5, 9)  # the picture's channels of twelve


def folded(
    *, layers: int = 3, activation: str = "Relu", clip: bool = False, bias: bool = True, feed=0.0
) -> Builder:
    """x (1, 3, H, W) -> y (1, 12, H, W): features, and the picture beside them in few channels.

    Args:
        feed: of the features that the picture reads: above 0 the two are not apart.
    """
    b = Builder(3)
    features = np.setdiff1d(np.arange(12), CARRIED)

    def conv(name: str, source: str, weight: np.ndarray) -> str:
        inputs = [source, b.constant(f"{name}_w", weight)]
        if bias:
            inputs.append(b.constant(f"{name}_b", b.rng.normal(0, 0.02, len(weight))))
        return b.add("Conv", name, inputs, pads=[1] * 4)

    def same(weight: np.ndarray, columns: tuple[int, ...]) -> None:
        """The picture's rows: each channel of it, and a little of the others."""
        weight[list(CARRIED)] = 0.0
        for row, column in zip(CARRIED, columns, strict=True):
            weight[row, list(columns)] = b.rng.normal(0, 0.01, (3, 3, 3))
            weight[row, column, 1, 1] = 1.0

    weight = b.rng.normal(0, 0.2, (12, 3, 3, 3))
    same(weight, (0, 1, 2))
    x = b.add(activation, "act0", [conv("conv0", "x", weight)])
    for place in range(1, layers):
        weight = b.rng.normal(0, 0.3, (12, 12, 3, 3))
        same(weight, CARRIED)
        weight[np.ix_(list(CARRIED), features)] = feed
        x = b.add(activation, f"act{place}", [conv(f"conv{place}", x, weight)])
    weight = b.rng.normal(0, 0.02, (12, 12, 3, 3))
    weight[:, list(CARRIED)] = 0.0
    weight[range(12), [CARRIED[place // 4] for place in range(12)], 1, 1] = 1.0
    x = conv("last", x, weight)
    if clip:
        x = b.conv("clip", b.add("Relu", "last_relu", [x]), (12, 12, 1, 1))
    return b


def model_of(b: Builder, last: str = "last") -> onnx.ModelProto:
    return b.model([("x", 1, [1, 3, "h", "w"]), (last, 1, [1, None, None, None])])


def run(model: onnx.ModelProto) -> np.ndarray:
    x = np.random.default_rng(1).uniform(0, 1, (1, 3, 9, 7)).astype(np.float32)
    return np.asarray(ReferenceEvaluator(model).run(None, {"x": x})[0])


@pytest.mark.parametrize("activation", ["Relu", "LeakyRelu"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("clip", [True, False])
def test_the_function_stays_and_the_zeros_fall_away(
    activation: str, bias: bool, clip: bool
) -> None:
    model = model_of(
        folded(activation=activation, bias=bias, clip=clip), "clip" if clip else "last"
    )
    split = split_streams(model)
    assert np.allclose(run(model), run(split), atol=1e-5)
    shapes = {item.name: list(item.dims) for item in split.graph.initializer}
    assert shapes[f"conv1{FEATURES}_weight"] == [9, 9, 3, 3]
    assert shapes[f"conv1{BETWEEN}_weight"] == [9, 3, 3, 3]
    assert shapes[f"conv1{PICTURE}_weight"] == [3, 3, 3, 3]
    assert shapes[f"last{PICTURE}_weight"] == [12, 3, 3, 3]
    assert not {"conv1_w", "act1"} & (set(shapes) | {node.name for node in split.graph.node})
    assert split_streams(split) is split


@pytest.mark.parametrize("change", ["fed", "short", "seen", "clipped", "grouped"])
def test_what_holds_no_second_stream_stays(change: str) -> None:
    b = folded(
        feed=0.01 if change == "fed" else 0.0,
        layers=1 if change == "short" else 3,
        activation="Sigmoid" if change == "clipped" else "Relu",
    )
    outputs = [("x", 1, [1, 3, "h", "w"]), ("last", 1, [1, None, None, None])]
    if change == "seen":  # both tensors in the middle are outputs, too
        outputs += [(f"act{place}", 1, [1, None, None, None]) for place in (1, 2)]
    if change == "grouped":
        for node in b.nodes:
            if node.op_type == "Conv" and node.name == "conv1":
                node.op_type, node.name = "Conv", "conv1"
                node.attribute.append(helper.make_attribute("group", 1))
        weight = next(item for item in b.weights if item.name == "conv2_w")
        value = numpy_helper.to_array(weight)[:, :6]
        weight.CopyFrom(numpy_helper.from_array(value.copy(), "conv2_w"))
        next(node for node in b.nodes if node.name == "conv2").attribute.append(
            helper.make_attribute("group", 2)
        )
    model = b.model(outputs)
    assert split_streams(model) is model


def test_a_model_of_two_streams_keeps_most_of_its_work_in_int8(tmp_path: Path) -> None:
    b = folded()
    b.add("DepthToSpace", "y", ["last"], blocksize=2, mode="CRD")
    onnx.save(
        b.model([("x", TensorProto.FLOAT, [1, 3, "h", "w"]), ("y", 1, [1, 3, "H", "W"])]),
        tmp_path / "x2.onnx",
    )
    save_pictures(tmp_path / "frames", 4)
    frames = open_frames(tmp_path / "frames")
    network = load_network(tmp_path / "x2.onnx")
    judge = Judge(network, frames)
    plain = find_plan(judge, measure_ranges(network, frames), max_loss_db=0.05).plan.layers
    found = quantise_network(network, frames, max_loss_db=0.05)
    inner = {f"conv{place}{FEATURES}" for place in (1, 2)}
    assert inner <= found.found.plan.layers
    assert inner <= found.cpu_plan.layers
    assert not {"conv1", "conv2"} <= plain  # together with the picture they are too expensive
