"""An ONNX file without a sidecar: imported where the converter is there, refused clearly else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_sr import Upscaler, zoo
from edge_sr.errors import MissingDependencyError, ModelFileError
from edge_sr.model import external

onnx = pytest.importorskip("onnx", reason="pip install 'edge-sr[build]'")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    external._imported.cache_clear()


def doubler(path: Path) -> Path:
    """A float network that repeats pixels."""
    scales = onnx.numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "s")
    node = onnx.helper.make_node(
        "Resize",
        ["x", "", "s"],
        ["y"],
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )
    tensors = [
        onnx.helper.make_tensor_value_info(name, 1, [1, 3, *sides])
        for name, sides in (("x", ("h", "w")), ("y", ("a", "b")))
    ]
    graph = onnx.helper.make_graph([node], "g", tensors[:1], tensors[1:], [scales])
    imports = [onnx.helper.make_opsetid("", 17)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=imports, ir_version=8), path)
    return path


def test_an_external_model_runs(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="edge_sr")
    path = doubler(tmp_path / "other.onnx")
    found, sidecar = zoo.find(str(path))
    assert (found.parent != tmp_path, sidecar.scale, sidecar.color) == (True, "2", "rgb")
    assert "other.onnx: RGB NCHW, range" in caplog.text
    frame = np.random.default_rng(0).integers(0, 256, (24, 30, 3), np.uint8)
    with Upscaler.open(str(path)) as upscaler:
        assert np.array_equal(upscaler.upscale(frame), frame.repeat(2, 0).repeat(2, 1))


def test_a_file_that_is_no_network_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.onnx"
    path.write_bytes(b"nothing")
    with pytest.raises(ModelFileError, match=r"bad\.onnx: not an ONNX file"):
        zoo.find(str(path))


def test_without_the_converter_the_pip_line_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(external, "has_module", lambda name: False)
    with pytest.raises(MissingDependencyError, match=r"other\.onnx\.json .*edge-sr\[build\]"):
        zoo.find(str(doubler(tmp_path / "other.onnx")))
