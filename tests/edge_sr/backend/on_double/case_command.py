"""`edge-sr run --backend tensorrt` from file to file, beside the run on ONNX Runtime.

EDGE_SR_TEST_CLIP names a real clip to use instead of the one that is made here.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import double
import numpy as np
import pytest
from frames import GRAPHS
from plans import write_engine

from edge_sr.cli.main import main
from edge_sr.media.sources.file import VideoFile
from edge_sr.model import resolver
from edge_sr.model.sidecar import Sidecar

sys.path.insert(0, str(Path(__file__).parents[2] / "media"))
from clips import make_clip

COUNT = 40


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    real = os.environ.get("EDGE_SR_TEST_CLIP")
    if real:
        return Path(real)
    path = tmp_path / "made.mp4"
    make_clip(path, pts=range(COUNT))
    return path


def lumas(path: Path) -> list[np.ndarray]:
    with VideoFile(path) as source:
        return [np.concatenate([f.y.ravel(), f.u.ravel(), f.v.ravel()]).copy() for f in source]


def run(clip: Path, output: Path, *more: str) -> None:
    words = ["run", "--input", str(clip), "--output", str(output), "--crf", "0"]
    assert main([*words, "--max-frames", str(COUNT), *more]) == 0


@pytest.mark.parametrize("seed", [1, 2])
def test_the_written_file_is_the_same(
    clip: Path, tmp_path: Path, seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with VideoFile(clip) as source:
        size = source.info.width, source.info.height
    engine, _ = write_engine(tmp_path, size=size)
    run(clip, tmp_path / "cpu.mkv", "--model", "edge-unet-s-x2", "--backend", "onnxruntime")
    capsys.readouterr()
    double.reset(seed=seed)
    gpu = tmp_path / "gpu.mkv"
    run(
        clip,
        gpu,
        "--model",
        str(engine),
        "--backend",
        "tensorrt",
        "--slots",
        str(seed + 1),
        "--graphs=on",
    )
    double.clean()
    words = capsys.readouterr().err
    assert "on tensorrt, CUDA double 0 (8.7), TensorRT 10.13.3.9" in words
    assert "GPU time a frame: " in words
    assert ("without CUDA graphs" in words) is not GRAPHS
    found, expected = lumas(gpu), lumas(tmp_path / "cpu.mkv")
    assert len(found) == len(expected) == COUNT
    assert all(np.array_equal(one, other) for one, other in zip(found, expected, strict=True))


def test_an_engine_file_needs_no_backend_option(clip: Path, tmp_path: Path) -> None:
    with VideoFile(clip) as source:
        engine, _ = write_engine(tmp_path, size=(source.info.width, source.info.height))
    double.reset()
    run(clip, tmp_path / "gpu.mkv", "--model", str(engine))
    double.clean()


def test_a_models_engine_is_asked_for_in_the_size_of_the_film(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, dict[str, Any]]] = []
    with VideoFile(clip) as source:
        size = source.info.width, source.info.height

    def cached_engine(model: Path, _sidecar: Sidecar, **named: Any) -> Path:
        asked.append((model.name, named))
        return write_engine(tmp_path, size=size)[0]

    monkeypatch.setattr(resolver, "cached_engine", cached_engine)
    for number, precision in enumerate(([], ["auto"], ["fp32"], ["int8"])):
        double.reset()
        words = ["--model", "edge-unet-s", "--backend", "tensorrt"]
        words += ["--precision", *precision] if precision else []
        run(clip, tmp_path / f"{number}.mkv", *words)
        double.clean()
    assert [(name, one["precision"]) for name, one in asked] == [
        ("edge-unet-s-x2.onnx", "fp16"),
        ("edge-unet-s-x2.onnx", "fp16"),
        ("edge-unet-s-x2.onnx", "fp32"),
        ("edge-unet-s-x2.int8.onnx", "int8"),
    ]
    assert {one["size"] for _, one in asked} == {size[::-1]}  # rows first
    assert {one["machine"].gpu for _, one in asked} == {"CUDA double 0"}


def test_a_gpu_that_fails_in_the_middle_ends_the_run(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine, _ = write_engine(tmp_path)
    for call in (60, 90, 120):
        double.reset(pops=int(GRAPHS))
        double.fail(call, 719)
        words = ["run", "--input", str(clip), "--output", str(tmp_path / "gpu.mkv"), "--force"]
        assert main([*words, "--model", str(engine), "--backend", "tensorrt"]) == 1
        words = capsys.readouterr().err.splitlines()
        assert any("unspecified launch failure" in line for line in words)
        assert double.report()["violations"] == ""
        assert not (tmp_path / "gpu.mkv").exists()


def test_an_engine_and_another_backend_do_not_go_together(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine, _ = write_engine(tmp_path)
    words = ["run", "--input", str(clip), "--output", "null", "--model", str(engine)]
    assert main([*words, "--backend", "onnxruntime"]) == 2
    assert "is a TensorRT engine, which --backend onnxruntime cannot run" in capsys.readouterr().err
