"""The engine builder's own trial of a new engine, on this runtime."""

from __future__ import annotations

from pathlib import Path

import double
import onnx
import pytest
import tensorrt
from plans import write_engine

from convert.engine.build import try_engine
from edge_sr import zoo
from edge_sr.errors import BackendError


def test_a_new_engine_is_tried_beside_onnx_runtime(tmp_path: Path) -> None:
    double.reset(seed=5)
    path, sidecar = write_engine(tmp_path)
    model = onnx.load(zoo.find("edge-unet-s-x2")[0])
    found = try_engine(path, sidecar, model, None, (64, 96))
    assert isinstance(found, dict)
    assert found["max_difference"] == 0
    assert found["gpu"] == "CUDA double 0"
    double.clean()


def test_one_that_gives_another_picture_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    double.reset(seed=5)
    path, sidecar = write_engine(tmp_path)
    model = onnx.load(zoo.find("edge-unet-s-x2")[0])
    monkeypatch.setattr(tensorrt.IExecutionContext, "execute_async_v3", lambda _self, _stream: True)
    with pytest.raises(BackendError, match="does not give what ONNX Runtime gives"):
        try_engine(path, sidecar, model, None, (64, 96))
    double.clean()
