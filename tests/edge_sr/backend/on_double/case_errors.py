"""What is missing or does not fit: one clear line each, that names the way out."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import double
import pytest
import tensorrt
from frames import GRAPHS, equal, expected, frames, open_backend
from plans import write_engine

from edge_sr.backend.tensorrt import backend as trt_backend
from edge_sr.backend.tensorrt.backend import TensorRTBackend
from edge_sr.cuda import cuda_python, open_device, pycuda_handles
from edge_sr.cuda.lazy import Lazy
from edge_sr.errors import (
    BackendError,
    EdgeSRError,
    MissingDependencyError,
    ModelFileError,
    UsageError,
)
from edge_sr.model.engine_facts import facts_of, seal
from edge_sr.model.resolver import gpu_machine, resolve
from edge_sr.model.sidecar import write_sidecar


def refused(kind: type[EdgeSRError], path: Path, sidecar: Any) -> str:
    """The one line that opening an engine ends with; nothing is left then."""
    with pytest.raises(kind) as caught:
        TensorRTBackend(path, sidecar)
    line = str(caught.value)
    del caught
    assert "\n" not in line
    double.clean()
    return line


@pytest.mark.parametrize(
    ("facts", "found"),
    [
        ({"gpu": "Orin"}, r"on Orin .*CUDA double 0"),
        ({"compute_capabilities": ("8.9",)}, "this machine is"),
        ({"version": "10.3.0.30"}, "built with TensorRT 10.3.0.30"),
        ({"version": "11.4.0.106"}, "built with TensorRT 11.4.0.106"),
        ({"cuda": "12.6"}, "CUDA 12.6"),
    ],
)
def test_an_engine_of_another_machine(facts: dict[str, Any], found: str, tmp_path: Path) -> None:
    double.reset()
    line = refused(ModelFileError, *write_engine(tmp_path, **facts))
    assert re.search(found, line), line
    assert "python -m convert.build_engine" in line


def test_an_engine_that_is_not_its_sidecars(tmp_path: Path) -> None:
    double.reset()
    path, sidecar = write_engine(tmp_path)
    path.write_bytes(path.read_bytes() + b"x")
    line = refused(ModelFileError, path, sidecar)
    assert "is not the file its sidecar describes: build it again here" in line


def test_a_sidecar_that_was_changed(tmp_path: Path) -> None:
    double.reset()
    path, sidecar = write_engine(tmp_path)
    changed = replace(sidecar, engine={**sidecar.engine, "gpu": "CUDA double 1"})
    assert "sidecar was changed" in refused(ModelFileError, path, changed)


def test_a_corrupt_engine_that_was_sealed_so(tmp_path: Path) -> None:
    double.reset()
    line = refused(BackendError, *write_engine(tmp_path, plan=b"not a plan"))
    assert "TensorRT refuses it (IRuntime::deserializeCudaEngine: Error Code 1: magic" in line
    assert "build it again here: python -m convert.build_engine" in line


def test_an_engine_of_another_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    double.reset()
    path, sidecar = write_engine(tmp_path)
    monkeypatch.setattr(
        tensorrt.ICudaEngine, "get_tensor_dtype", lambda *_: tensorrt.DataType.FLOAT
    )
    assert "expected uint8 'frame' and 'upscaled'" in refused(BackendError, path, sidecar)
    monkeypatch.undo()
    other = replace(sidecar, scale="3/2", engine={})
    backend = TensorRTBackend(path, seal(other, facts_of(sidecar)))
    with pytest.raises(
        BackendError, match=r"the engine makes .* its sidecar says .* build it again"
    ):
        backend.infer(frames(1)[0])
    backend.close()
    double.clean()


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    double.reset()
    path, sidecar = write_engine(tmp_path)
    path.unlink()
    assert "cannot be read (No such file" in refused(ModelFileError, path, sidecar)


def test_no_gpu_behind_the_driver(tmp_path: Path) -> None:
    double.reset(devices=0)
    line = refused(BackendError, *write_engine(tmp_path))
    assert "no CUDA-capable device is detected" in line
    assert "check nvidia-smi and CUDA_VISIBLE_DEVICES, or run on the CPU with --backend" in line
    with pytest.raises(BackendError, match="the CUDA driver finds no GPU: TensorRT needs"):
        gpu_machine()


def test_tensorrt_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    double.reset()
    path, sidecar = write_engine(tmp_path)
    stubs = ModuleType("tensorrt")  # an empty package, as type stubs alone make it
    for missing in (None, stubs):
        monkeypatch.setitem(sys.modules, "tensorrt", missing)
        line = refused(MissingDependencyError, path, sidecar)
        assert line.startswith("TensorRT is not installed (")
        assert "pip install --extra-index-url https://pypi.nvidia.com 'edge-sr[tensorrt" in line
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", None)
    with pytest.raises(MissingDependencyError, match=r"no TensorRT is installed: .* pip install"):
        gpu_machine()


def test_a_tensorrt_that_is_too_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    double.reset()
    path, sidecar = write_engine(tmp_path)
    monkeypatch.setattr(tensorrt, "__version__", "8.6.2.3")
    line = refused(BackendError, path, sidecar)
    assert "TensorRT is 8.6.2.3; 10.0 or later is needed: on a Jetson that is JetPack 6.1" in line


def test_a_tensorrt_whose_library_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    double.reset()
    path, sidecar = write_engine(tmp_path)
    (tmp_path / "tensorrt.py").write_text("raise OSError('libnvinfer.so.10: cannot open')\n")
    monkeypatch.delitem(sys.modules, "tensorrt")
    monkeypatch.syspath_prepend(tmp_path)
    line = refused(BackendError, path, sidecar)
    assert "TensorRT cannot be loaded (libnvinfer.so.10: cannot open): " in line


def test_the_lean_runtime_takes_version_compatible_engines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    double.reset()
    import tensorrt_lean  # noqa: F401 - it stays when the other is gone

    path, sidecar = write_engine(tmp_path, options={"version_compatible": True})
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    backend = TensorRTBackend(path, sidecar)
    assert equal([backend.infer(frames(1)[0])], expected(1))
    backend.close()
    double.clean()


def test_what_does_not_fit_is_found_before_anything_is_deserialised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    double.reset()

    def deserialise(*_: object) -> None:
        raise AssertionError("an engine is native code")

    monkeypatch.setattr(tensorrt.Runtime, "deserialize_cuda_engine", deserialise)
    path, sidecar = write_engine(tmp_path)
    foreign = seal(sidecar, replace(facts_of(sidecar), gpu="Orin"))
    write_sidecar(path, foreign)
    refused(ModelFileError, path, foreign)


def test_auto_takes_an_engine_that_is_cached_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    double.reset()
    from edge_sr import zoo

    path, sidecar = zoo.find("edge-unet-s-x2")
    asked = {"backend": "auto", "size": (96, 64), "precision": "fp32"}
    none = resolve(path, sidecar, **asked)
    assert (none.backend, none.path) == ("onnxruntime", path)
    assert "no fp32 engine of edge-unet-s-x2 at 96x64 is cached for CUDA double 0: --backend" in (
        none.why
    )
    engine, card = write_engine(tmp_path, size=(96, 64))
    monkeypatch.setattr("edge_sr.model.resolver.look_up", lambda *_args, **_named: engine)
    found = resolve(path, sidecar, **asked)
    assert (found.backend, found.path, found.sidecar) == ("tensorrt", engine, card)
    assert found.why == "auto: TensorRT, for CUDA double 0 has a cached fp32 engine"


def test_closing_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    double.reset()
    monkeypatch.setattr(trt_backend, "CLOSE_S", 0.05)
    backend = open_backend()
    backend._lock.acquire()  # as a thread that waits for a GPU that hangs
    with pytest.raises(BackendError, match=r"did not answer for 0\.05 s; end the process"):
        backend.close()
    backend._lock.release()
    backend.close()
    double.clean()


@pytest.mark.skipif(not GRAPHS, reason="pycuda is compiled for its driver")
def test_a_driver_that_is_older_than_the_binding(tmp_path: Path) -> None:
    double.reset(driver=11080)
    line = refused(BackendError, *write_engine(tmp_path))
    assert "needs a later driver (this one takes CUDA 11.8: pip install 'cuda-python<12')" in line


@pytest.mark.skipif(not GRAPHS, reason="one binding is enough")
def test_a_binding_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (cuda_python, pycuda_handles):
        monkeypatch.setattr(module, "driver", Lazy("not_installed.driver"))
    with pytest.raises(
        MissingDependencyError,
        match=r"is not installed .* pip install 'cuda-python>=12.6,<13'",
    ):
        open_device("cuda-python")
    monkeypatch.delenv("EDGE_SR_CUDA")
    with pytest.raises(MissingDependencyError, match="no Python binding for CUDA"):
        open_device()
    with pytest.raises(UsageError, match="EDGE_SR_CUDA is 'cupy'; expected cuda-python or pycuda"):
        open_device("cupy")
