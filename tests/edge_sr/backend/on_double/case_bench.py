"""`python -m bench device-check` and `lab.host_cost`, from end to end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import double
import pytest
import tensorrt
from frames import GRAPHS
from plans import write_engine

from bench.__main__ import main
from bench.check.engine_step import check_engine
from bench.check.options import Options
from edge_sr import zoo
from edge_sr.errors import ModelFileError
from edge_sr.model import resolver
from edge_sr.model.sidecar import Sidecar
from lab.host_cost import main as host_cost


def test_device_check_writes_what_it_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CUDA_DOUBLE", "seed=3")  # of the processes of its steps
    double.reset(seed=3)
    engine, _ = write_engine(tmp_path, size=(96, 64))
    output = tmp_path / "out"
    words = ["device-check", "--engines", str(engine), "--frames", "100", "--timed", "30"]
    assert main([*words, "--output", str(output)]) == 0
    said = capsys.readouterr()
    counts = "9 good" if GRAPHS else "7 good, 2 cannot run"
    assert said.out == f"{output}/device-check.json and .md: {counts}\n"
    assert "device-check on CUDA double 0 (8.7), at most 10 minutes" in said.err
    found = json.loads((output / "device-check.json").read_text())
    *_, item = found["steps"]
    assert item["state"] == "good"
    assert item["found"]["agreement"]["max_difference"] == 0
    assert [(one["graphs"], one["slots"]) for one in item["found"]["timings"]] == [
        (False, 1),
        (True, 1),
        (True, 2),
        (True, 3),
    ]
    assert item["found"]["endurance"]["gpu_left_mib"] == 0
    assert item["found"]["layers"] == {"Layers": [{"Name": "conv", "LayerType": "CaskConvolution"}]}
    assert item["found"]["facts"]["census"] == {"fp32": 9}
    page = (output / "device-check.md").read_text()
    assert "- CUDA double 0, compute capability 8.7, 1024 MiB (1024 free)" in page
    assert "largest difference 0 grey levels" in page
    assert ("without CUDA graphs: pycuda has none" in page) is not GRAPHS
    assert sorted(path.name for path in output.iterdir()) == [
        "device-check.json",
        "device-check.md",
    ]


def test_device_check_reports_engines_that_differ(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    double.reset()
    engine, _ = write_engine(tmp_path, size=(96, 64))
    options = Options(size=(96, 64), frames=20, timed=5)
    execute = tensorrt.IExecutionContext.execute_async_v3
    calls = iter(range(10**9))

    def forget(self: tensorrt.IExecutionContext, stream: int) -> bool:
        """Leaves a frame as it was, now and then."""
        return True if next(calls) % 3 == 2 else execute(self, stream)

    with monkeypatch.context() as patch:
        patch.setattr(tensorrt.IExecutionContext, "execute_async_v3", forget)
        found = check_engine(options, str(engine), "")
    assert not found["good"]
    assert found["agreement"]["psnr_db"] < 30
    other, _ = write_engine(tmp_path, model="edge-unet-s-x1.5", size=(96, 64), gpu="Orin")
    with pytest.raises(ModelFileError, match="this machine is TensorRT "):
        check_engine(options, str(other), "")


def test_device_check_has_engines_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    double.reset()
    asked: list[dict[str, Any]] = []

    def build(model: Path, _sidecar: Sidecar, **named: Any) -> Path:
        asked.append(named)
        if named["precision"] == "int8":
            model = zoo.tensorrt_file(model.stem)[0]
        return write_engine(tmp_path, model=str(model), size=(96, 64))[0]

    monkeypatch.setattr(resolver, "cached_engine", build)
    options = Options(size=(96, 64), frames=20, timed=5)
    for precision in ("fp16", "int8"):
        assert check_engine(options, "edge-unet-s-x2", precision)["good"]
    assert [(one["precision"], one["size"]) for one in asked] == [
        ("fp16", (64, 96)),
        ("int8", (64, 96)),
    ]
    double.clean()


def test_device_check_without_a_gpu_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    double.reset(devices=0)
    assert main(["device-check", "--output", str(tmp_path / "out")]) == 1
    words = capsys.readouterr()
    assert words.out == ""
    assert words.err.splitlines() == [
        "bench: the CUDA driver finds no GPU: device-check needs an NVIDIA GPU"
    ]
    assert not (tmp_path / "out").exists()


def test_host_cost_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FAKE_TENSORRT_NOOP", "1")
    double.reset(copies=0)
    engine, _ = write_engine(tmp_path, size=(1280, 720))
    assert host_cost(["--engine", str(engine), "--frames", "200"]) == 0
    double.clean()
    out = capsys.readouterr().out
    assert "1280x720, 200 frames" in out
    assert "host time a frame, median" in out
