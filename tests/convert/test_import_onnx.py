"""Any super-resolution ONNX file as a model file: what is detected, and what it gives."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from calibration.network.session import open_session, run
from convert.import_onnx import main
from convert.onnx.wrap import wrap_onnx
from edge_sr.errors import ModelFileError
from edge_sr.model.import_options import ImportOptions
from edge_sr.model.sidecar import load_sidecar
from edge_sr.model.value_range import RANGES


def repeater(
    *,
    shape: tuple[object, ...] = (1, 3, "h", "w"),
    taken: str = "0..1",
    given: str = "0..1",
    pads: int = 1,
    opset: int = 17,
) -> onnx.ModelProto:
    """A network x2 that repeats pixels, with its own ranges; pads=0 loses a pixel on each side."""
    kernel = np.zeros((12, 3, 3, 3), np.float32)
    for place in range(12):
        kernel[place, place // 4, 1, 1] = RANGES[given].levels / RANGES[taken].levels
    shift = RANGES[given].offset - RANGES[taken].offset * kernel.max()
    nodes = [
        helper.make_node("Conv", ["x", "kernel", "bias"], ["wide"], pads=[pads] * 4),
        helper.make_node("DepthToSpace", ["wide"], ["y"], blocksize=2, mode="CRD"),
    ]
    graph = helper.make_graph(
        nodes,
        "repeater",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 3, None, None))],
        [
            numpy_helper.from_array(kernel, "kernel"),
            numpy_helper.from_array(np.full(12, shift, np.float32), "bias"),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def picture(rows: int = 40, columns: int = 56) -> np.ndarray:
    y, x = np.mgrid[0:rows, 0:columns] / 9
    waves = [127 + 90 * np.sin(x + channel) * np.cos(y) for channel in range(3)]
    return np.stack(waves, axis=-1).round().astype(np.uint8)


def upscaled(path: Path, frame: np.ndarray) -> np.ndarray:
    result: np.ndarray = run(open_session(str(path)), frame[None])[0][0]
    return result


@pytest.mark.parametrize(
    ("taken", "given"), [("0..1", "0..1"), ("0..1", "-1..1"), ("-1..1", "-1..1"), ("0..255",) * 2]
)
def test_ranges_are_found_or_asked_for(tmp_path: Path, taken: str, given: str) -> None:
    source, output = tmp_path / "other.onnx", tmp_path / "mine.onnx"
    onnx.save(repeater(taken=taken, given=given), source)
    wrap_onnx(source, output, ImportOptions(input_range=taken, output_range=given))
    frame = picture()
    expected = frame.repeat(2, axis=0).repeat(2, axis=1)
    assert np.abs(upscaled(output, frame).astype(int) - expected).max() <= 1
    assert load_sidecar(output).scale == "2"


def test_a_fixed_size_is_freed_where_the_network_allows_it(tmp_path: Path) -> None:
    source, output = tmp_path / "fixed.onnx", tmp_path / "mine.onnx"
    onnx.save(repeater(shape=(1, 3, 64, 64)), source)
    sidecar, detected = wrap_onnx(source, output, ImportOptions(input_range="0..1"))
    assert sidecar.width is None
    assert "made free" in detected.describe()
    assert upscaled(output, picture()).shape == (80, 112, 3)


def test_missing_borders_are_padded_exactly(tmp_path: Path) -> None:
    source, output = tmp_path / "valid.onnx", tmp_path / "mine.onnx"
    onnx.save(repeater(pads=0), source)
    wrap_onnx(source, output, ImportOptions(input_range="0..1", output_range="0..1"))
    frame = picture()
    expected = frame.repeat(2, axis=0).repeat(2, axis=1)
    found = upscaled(output, frame)
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected)[2:-2, 2:-2].max() <= 1


def test_old_opsets_are_converted(tmp_path: Path) -> None:
    source, output = tmp_path / "old.onnx", tmp_path / "mine.onnx"
    onnx.save(repeater(opset=11), source)
    wrap_onnx(source, output, ImportOptions(input_range="0..1", output_range="0..1"))
    frame = picture()
    assert np.abs(upscaled(output, frame)[::2, ::2].astype(int) - frame).max() <= 1


def test_the_command_writes_the_file_or_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, output = tmp_path / "other.onnx", tmp_path / "mine.onnx"
    onnx.save(repeater(taken="-1..1", given="-1..1"), source)
    assert main([str(source), "--range", "-1..1", "-o", str(output), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["file"], facts["scale"], facts["color"]) == (str(output), "2", "rgb")
    assert main([str(source), "--range", "-1..1", "-o", str(output)]) == 1
    assert "exists" in capsys.readouterr().err


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "classifier.onnx"
    nodes = [helper.make_node("ReduceMean", ["x"], ["y"], axes=[2, 3], keepdims=0)]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 3, "h", "w"))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 3))],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]), source)
    with pytest.raises(ModelFileError, match="expected a picture"):
        wrap_onnx(source, tmp_path / "mine.onnx")
    assert not (tmp_path / "mine.onnx").exists()
