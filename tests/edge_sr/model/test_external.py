"""An ONNX file without a sidecar: imported where the converter is there, refused clearly else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_sr import Upscaler, zoo
from edge_sr.cli.config import config_text
from edge_sr.cli.main import main
from edge_sr.cli.run import make_spec, options_of, run_parser
from edge_sr.errors import MissingDependencyError, ModelFileError, UsageError
from edge_sr.model import external
from edge_sr.model.import_options import options_from
from edge_sr.pipeline.job import JobSpec
from edge_sr.pipeline.open_model import with_model_file

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


def test_what_the_user_says_reaches_the_import(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(doubler(tmp_path / "other.onnx"))
    said = ["--input-range", "0..1", "--output-range", "-1..1"]
    assert main(["-q", "info", path, *said]) == 0
    out = capsys.readouterr().out
    assert "0..1 in, -1..1 out" in out.replace("\n", " ")
    job = JobSpec(input="film.mp4", model=path, range="-1..1")
    opened = with_model_file(job)
    assert (opened.model != path, opened.range) == (True, None)
    imported = zoo.find(opened.model)[1].training["conversion"]["imported"]
    assert "range -1..1" in imported
    assert with_model_file(opened) == opened


def test_options_of_external_models_are_refused_elsewhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["info", "edge-unet-s-x2", "--range", "0..1"]) == 2
    assert "--input-range, --output-range: edge-unet-s-x2 is no external" in capsys.readouterr().err
    with pytest.raises(UsageError, match="range is 'banana'"):
        with_model_file(JobSpec(input="film.mp4", model="a.onnx", range="banana"))
    with pytest.raises(UsageError, match="layout is 'chw'"):
        options_from(layout="chw")


def test_a_configuration_holds_the_options(tmp_path: Path) -> None:
    args = run_parser().parse_args(
        ["film.mp4", "-m", "other.onnx", "--range", "-1..1", "--layout", "nhwc"]
    )
    spec = make_spec(args)
    config = tmp_path / "job.toml"
    config.write_text(config_text(options_of(spec), run_parser()))
    again = make_spec(run_parser().parse_args(["--config", str(config)]))
    assert (again.range, again.layout, again.channels) == ("-1..1", "nhwc", None)
