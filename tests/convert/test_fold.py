"""A file of one size has no arithmetic on shapes left for TensorRT: NVIDIA/TensorRT issue 4217."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from convert.onnx.fold import fold_shapes
from convert.onnx.specialise import convolutions, specialise, widen_scales
from edge_sr import zoo

FILES = sorted(zoo.FOLDER.glob("*.onnx"))


def run(model: onnx.ModelProto, frame: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {"frame": frame})[0]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_shape_node_reaches_the_builder(path: Path) -> None:
    model = specialise(onnx.load(path, load_external_data=False), (50, 70), None)
    left = {node.op_type for node in model.graph.node}
    assert not left & {"Shape", "Div", "Concat"}
    pads = [node for node in model.graph.node if node.op_type == "Pad"]
    known = {item.name for item in model.graph.initializer}
    assert all(name in known for node in pads for name in node.input[1:] if name)


@pytest.mark.parametrize("size", [(50, 70), (48, 64), (33, 41)])
@pytest.mark.parametrize("name", ["edge-unet-s-x2.onnx", "edge-unet-s-x1.5.int8.onnx"])
def test_the_picture_stays_the_same(name: str, size: tuple[int, int]) -> None:
    model = onnx.load(zoo.FOLDER / name, load_external_data=False)
    fixed = specialise(model, size, None)
    frame = np.random.default_rng(0).integers(0, 256, (1, *size, 1), np.uint8)
    assert len(fixed.graph.node) < len(model.graph.node)
    np.testing.assert_array_equal(run(fixed, frame), run(model, frame))


def test_weights_and_levels_are_left_as_they_are() -> None:
    half = numpy_helper.from_array(np.array([0.5], np.float32), "half")
    one = numpy_helper.from_array(np.array([1.0], np.float32), "one")
    nodes = [
        helper.make_node("Add", ["half", "one"], ["sum"]),
        helper.make_node("Mul", ["frame", "sum"], ["upscaled"]),
    ]
    ports = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, [4]) for n in ("frame", "upscaled")
    ]
    graph = helper.make_graph(nodes, "g", [ports[0]], [ports[1]], [half, one])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    fold_shapes(model)
    assert [node.op_type for node in model.graph.node] == ["Add", "Mul"]


def test_float_scales_keep_int8_and_leave_no_half() -> None:
    path = zoo.FOLDER / "edge-unet-s-x2.int8.trt.onnx"
    model = specialise(onnx.load(path, load_external_data=False), (48, 64), None)
    before = convolutions(model)
    expected = run(model, frame := np.full((1, 48, 64, 1), 90, np.uint8))
    widen_scales(model)
    assert convolutions(model)["int8"] == before["int8"]
    assert convolutions(model)["fp16"] == 0
    assert not any(item.data_type == TensorProto.FLOAT16 for item in model.graph.initializer)
    onnx.checker.check_model(model, full_check=True)
    assert np.abs(run(model, frame).astype(int) - expected).max() <= 2
