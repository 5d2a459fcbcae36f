"""Every file that we ship, or give to TensorRT, has only what its parser takes on a Jetson.

TensorRT-RTX's parser is the only one that runs here; those of JetPack are known by their tables.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from calibration.network.half import to_half
from convert.onnx.specialise import specialise, widen_scales
from convert.onnx.wrap import wrap_onnx
from edge_sr import zoo
from edge_sr.doctor.probe import TINY
from edge_sr.model.wide import widen
from tests.convert.operators import VERSIONS, complaints

FLOAT = [zoo.FOLDER / f"{name}.onnx" for name in zoo.names()]
INT8 = [zoo.tensorrt_file(name)[0] for name in zoo.names()]
SIZE, TARGET = (50, 70), (120, 160)


def load(path: Path) -> onnx.ModelProto:
    return onnx.load(path, load_external_data=False)


def float_scales(path: Path) -> onnx.ModelProto:
    model = load(path)
    widen_scales(model)
    return model


# what `convert.build_engine` makes of a file before TensorRT reads it
FORMS: dict[str, Callable[[Path], onnx.ModelProto]] = {
    "as it is": load,
    "one size": lambda path: specialise(load(path), SIZE, None),
    "resized": lambda path: specialise(load(path), SIZE, TARGET),
    "10 bits": lambda path: onnx.load_from_string(widen(path.read_bytes(), 10)),
    "16 bits, one size": lambda path: specialise(
        onnx.load_from_string(widen(path.read_bytes(), 16)), SIZE, None
    ),
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("path", [*FLOAT, *INT8, TINY], ids=lambda path: path.stem)
def test_files_that_are_shipped(path: Path, form: str, version: str) -> None:
    if path == TINY and "bits" in form:
        pytest.skip("the probe of doctor has 8 bits alone")
    assert complaints(FORMS[form](path), version) == []


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("path", FLOAT, ids=lambda path: path.stem)
def test_fp16_files(path: Path, version: str) -> None:
    assert complaints(specialise(to_half(load(path)), SIZE, TARGET), version) == []


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("path", INT8, ids=lambda path: path.stem)
def test_int8_files_with_float_scales(path: Path, version: str) -> None:
    assert complaints(float_scales(path), version) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_external_models(version: str, tmp_path: Path) -> None:
    """The frame I/O that is put around a network that was not made here."""
    ports = [
        helper.make_tensor_value_info("x", 1, [1, 3, "h", "w"]),
        helper.make_tensor_value_info("y", 1, [1, 3, "a", "b"]),
    ]
    weights = np.zeros((12, 3, 1, 1), np.float32)
    for channel in range(3):
        weights[4 * channel : 4 * channel + 4, channel] = 1  # pixels are repeated
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["h"]),
        helper.make_node("DepthToSpace", ["h"], ["y"], blocksize=2, mode="CRD"),
    ]
    graph = helper.make_graph(
        nodes, "g", ports[:1], ports[1:], [numpy_helper.from_array(weights, "w")]
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), tmp_path / "x.onnx"
    )
    wrap_onnx(tmp_path / "x.onnx", tmp_path / "y.onnx")
    assert complaints(load(tmp_path / "y.onnx"), version) == []


def changed(change: Callable[[onnx.ModelProto], None], opset: int = 17) -> list[str]:
    """What is said of a small network after a change."""
    ports = [helper.make_tensor_value_info(name, 1, [1, 1, 4, 4]) for name in ("x", "y")]
    nodes = [helper.make_node("Resize", ["x", "", "two"], ["y"], name="r", mode="nearest")]
    scales = numpy_helper.from_array(np.ones(4, np.float32), "two")
    graph = helper.make_graph(nodes, "g", ports[:1], ports[1:], [scales])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    change(model)
    return complaints(model, "10.3")


def test_the_comparison_sees() -> None:
    def set_mode(model: onnx.ModelProto) -> None:
        model.graph.node[0].attribute[0].s = b"lanczos"

    def set_operator(model: onnx.ModelProto) -> None:
        model.graph.node[0].op_type = "AffineGrid"

    def set_antialias(model: onnx.ModelProto) -> None:
        model.graph.node[0].attribute.append(helper.make_attribute("antialias", 1))

    def set_type(model: onnx.ModelProto) -> None:
        for port in (*model.graph.input, *model.graph.output):
            port.type.tensor_type.elem_type = TensorProto.BOOL

    def squeeze(model: onnx.ModelProto) -> None:
        model.graph.input.append(helper.make_tensor_value_info("axes", TensorProto.INT64, [1]))
        model.graph.node.append(helper.make_node("Squeeze", ["y", "axes"], ["z"]))

    def pair(model: onnx.ModelProto) -> None:
        zero = numpy_helper.from_array(np.int8(3), "zero")
        model.graph.initializer.extend([zero, numpy_helper.from_array(np.float32(1), "one")])
        model.graph.node.append(helper.make_node("QuantizeLinear", ["y", "one", "zero"], ["q"]))

    assert changed(lambda model: None) == []
    assert "mode is 'lanczos'" in changed(set_mode)[0]
    assert "AffineGrid r: is not in the table" in changed(set_operator)[0]
    assert "attribute antialias is not in the table" in changed(set_antialias)[0]
    assert "its input is BOOL; 10.3 takes FP32" in changed(set_type)[0]
    assert "input 1 is not a constant" in changed(squeeze)[0]
    assert "input 2 is not 0" in changed(pair)[0]
    assert changed(lambda model: None, opset=21) == ["opset is 21; 10.3 takes 9 to 20"]
