"""What a network costs is counted from its graph, at any size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from beside import PEERS, needs_peers
from onnx import TensorProto, helper, numpy_helper

from bench.models.params import count
from edge_sr import zoo
from edge_sr.errors import ModelFileError


def test_a_shipped_model_counts_what_its_sidecar_says() -> None:
    path, sidecar = zoo.find("edge-unet-s-x2")
    counts = count(path, 1280, 720)
    assert counts.macs == sidecar.macs_720p
    assert counts.parameters == sidecar.parameters + 4 * 25  # the fixed bicubic anchor, 5 x 5


def test_odd_sizes_are_padded_and_counted_so() -> None:
    path, _ = zoo.find("edge-unet-s-x2")
    assert count(path, 1279, 719).macs == count(path, 1280, 720).macs
    assert count(path, 1281, 719).macs > count(path, 1280, 720).macs


@needs_peers
@pytest.mark.parametrize(
    ("file", "parameters", "gmacs"),
    [
        ("ETDS-T_M5C16_x2", 13_944, 12.74),
        ("CARN-M_x2", 257_027, 364.69),
        ("PlainUSR-S_x2", 57_236, 48.38),
        ("SPAN-ch48_x2", 410_700, 377.56),
    ],
)
def test_rivals_count_what_is_known_of_them(file: str, parameters: int, gmacs: float) -> None:
    counts = count(PEERS / f"{file}.onnx", 1280, 720, layout="nchw")
    assert counts.parameters == parameters
    assert counts.macs / 1e9 == pytest.approx(gmacs, abs=0.005)


def int8_file(path: Path) -> Path:
    """Conv, ReLU, Q/DQ, Conv: int8 between the two, and int8 weights in the second."""
    weight = numpy_helper.from_array(np.ones((8, 1, 3, 3), np.float32), "w1")
    packed = numpy_helper.from_array(np.ones((4, 8, 3, 3), np.int8), "w2")
    scale = numpy_helper.from_array(np.float32(0.1), "s")
    zero = numpy_helper.from_array(np.int8(0), "z")
    pads = {"pads": [1, 1, 1, 1]}
    nodes = [
        helper.make_node("Conv", ["x", "w1"], ["a"], **pads),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("QuantizeLinear", ["b", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        helper.make_node("DequantizeLinear", ["w2", "s", "z"], ["dw"]),
        helper.make_node("Conv", ["d", "dw"], ["y"], **pads),
    ]
    graph = helper.make_graph(
        nodes,
        "int8",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, "h", "w"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4, "h", "w"])],
        [weight, packed, scale, zero],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    return path


def test_fused_layers_and_int8_tensors(tmp_path: Path) -> None:
    counts = count(int8_file(tmp_path / "q.onnx"), 32, 16, layout="nchw")
    pixels = 32 * 16
    assert [layer.op for layer in counts.layers] == ["Conv", "Conv"]
    assert [layer.macs for layer in counts.layers] == [72 * pixels, 288 * pixels]
    assert [layer.int8 for layer in counts.layers] == [False, True]
    # float in, 8 int8 channels out; those in, 4 float channels out
    assert [layer.activation_bytes for layer in counts.layers] == [12 * pixels, 24 * pixels]
    assert counts.parameters == 72 + 288


def test_what_is_not_a_network_is_said_in_one_line(tmp_path: Path) -> None:
    broken = tmp_path / "x.onnx"
    broken.write_bytes(b"not a protobuf at all")
    with pytest.raises(ModelFileError, match=r"x\.onnx: not an ONNX file"):
        count(broken, 64, 64)
    with pytest.raises(ModelFileError, match="cannot be read"):
        count(tmp_path / "missing.onnx", 64, 64)


def test_weights_outside_the_file_are_refused(tmp_path: Path) -> None:
    path = int8_file(tmp_path / "q.onnx")
    model = onnx.load(path)
    model.graph.initializer[0].data_location = TensorProto.EXTERNAL
    model.graph.initializer[0].external_data.add(key="location", value="../../etc/passwd")
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelFileError, match="keeps weights in other files"):
        count(path, 64, 64)
