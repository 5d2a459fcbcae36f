"""External models that are not taken: one line says why, and nothing is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from convert.import_onnx import main
from convert.onnx.tidy import read_external
from convert.onnx.wrap import wrap_onnx
from edge_sr.errors import ModelFileError
from tests.convert.external_networks import ANY, doubler, edited, form, save


def test_a_range_that_is_not_clear_is_asked_for(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    weights = {"w": rng.normal(0, 0.3, (12, 3, 3, 3)).astype(np.float32)}
    nodes = [
        helper.make_node("Conv", ["input", "w"], ["h"], pads=[1] * 4),
        helper.make_node("DepthToSpace", ["h"], ["output"], blocksize=2),
    ]
    source = save(tmp_path / "random.onnx", nodes, weights)
    with pytest.raises(ModelFileError, match=r"looks like no picture .*--range 0\.\.255"):
        wrap_onnx(source, tmp_path / "o.onnx")
    assert not (tmp_path / "o.onnx").exists()


@pytest.mark.parametrize("scales", [[1, 1, 2, 1], [1, 1, 3, 2]])
def test_unequal_rows_and_columns_are_refused(scales: list[int], tmp_path: Path) -> None:
    weights = {"sc": np.array(scales, np.float32)}
    nodes = [helper.make_node("Resize", ["input", "", "sc"], ["output"], mode="linear")]
    source = save(tmp_path / "a.onnx", nodes, weights)
    with pytest.raises(ModelFileError, match=r"rows are scaled by .* and columns by"):
        wrap_onnx(source, tmp_path / "o.onnx")


def test_weights_elsewhere_are_not_followed(tmp_path: Path) -> None:
    source = form("weights in another file", tmp_path / "in.onnx")
    moved = tmp_path / "secret"
    (tmp_path / "in.onnx.data").rename(moved)
    for location in ("../secret", str(moved), "sub/secret", "in.onnx.data"):
        model = onnx.load(source, load_external_data=False)
        for item in model.graph.initializer:
            for entry in item.external_data:
                if entry.key == "location":
                    entry.value = location
        onnx.save(model, source)
        with pytest.raises(ModelFileError, match="expected a plain file beside it"):
            read_external(source)
    (tmp_path / "in.onnx.data").symlink_to(moved)
    with pytest.raises(ModelFileError, match="expected a plain file beside it"):
        read_external(source)


@pytest.mark.parametrize("words", [["--range", "banana"], ["--output-range=2..1"]])
def test_unknown_ranges_are_wrong_usage(words: list[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        main([str(tmp_path / "x.onnx"), *words])
    assert ended.value.code == 2


def classifier(path: Path) -> Path:
    nodes, weights = doubler()
    nodes = [
        nodes[0],
        helper.make_node("GlobalAveragePool", ["h"], ["g"]),
        helper.make_node("Flatten", ["g"], ["f"]),
        helper.make_node("Gemm", ["f", "fc"], ["output"]),
    ]
    return save(path, nodes, weights | {"fc": np.ones((8, 5), np.float32)}, (ANY[0], [1, 5]))


def changed(path: Path, **weights: np.ndarray) -> Path:
    nodes, known = doubler()
    return save(path, nodes, known | weights)


NOT_TAKEN: dict[str, tuple[Callable[[Path], Path], str]] = {
    "classifier": (classifier, "expected a picture"),
    "films": (
        lambda p: save(
            p,
            [helper.make_node("Conv", ["input", "k"], ["output"], pads=[1] * 6)],
            {"k": np.ones((3, 3, 3, 3, 3), np.float32)},
            ([1, 3, "t", "h", "w"], [1, 3, "t", "a", "b"]),
        ),
        "expected 4 axes",
    ),
    "texts": (
        lambda p: save(
            p,
            [helper.make_node("Identity", ["input"], ["output"])],
            {},
            kinds=(TensorProto.STRING, TensorProto.STRING),
        ),
        "its input is string",
    ),
    "weight of NaN": (
        lambda p: changed(p, b=np.full(8, np.nan, np.float32)),
        "weight b holds NaN or infinity",
    ),
    "no output": (lambda p: edited(p, lambda m: m.graph.ClearField("output")), "has no output"),
    "no opset": (lambda p: edited(p, lambda m: m.ClearField("opset_import")), "is of no opset"),
    "opset of the future": (lambda p: save(p, *doubler(), opset=99), "is of opset 99"),
    "four channels": (
        lambda p: save(p, *doubler(4), ([1, 4, "h", "w"], [1, 4, "a", "b"])),
        "takes 4 channels",
    ),
    "missing weight": (
        lambda p: edited(p, lambda m: m.graph.initializer.pop()),
        "ONNX Runtime cannot open the network",
    ),
}


@pytest.mark.parametrize("name", NOT_TAKEN)
def test_what_is_no_picture_network_is_one_line(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    make, message = NOT_TAKEN[name]
    source = make(tmp_path / "in.onnx")
    assert main([str(source), "--range", "0..1", "-o", str(tmp_path / "o.onnx")]) == 1
    [line] = capfd.readouterr().err.splitlines()
    assert "in.onnx: " in line
    assert message in line
    assert not list(tmp_path.glob("o.onnx*"))
