"""Backends by name. Nothing heavy is imported until one is opened."""

from __future__ import annotations

from pathlib import Path

from edge_sr.backend.nearest import NearestBackend
from edge_sr.backend.onnxruntime.backend import OnnxRuntimeBackend
from edge_sr.backend.protocol import Backend, Batch, Overlapping
from edge_sr.backend.tensorrt.backend import TensorRTBackend
from edge_sr.errors import BackendError, UsageError
from edge_sr.model.sidecar import Sidecar

BACKENDS = ("auto", "onnxruntime", "tensorrt", "nearest")

__all__ = ["BACKENDS", "Backend", "Batch", "Overlapping", "open_backend"]


def open_backend(
    path: Path,
    sidecar: Sidecar,
    *,
    backend: str = "auto",
    threads: int | None = None,
    slots: int = 2,
    graphs: str = "auto",
) -> Backend:
    """Open a model file whose sidecar has been checked.

    Args:
        backend: one of BACKENDS; "auto" is TensorRT for an ``.engine`` file and ONNX Runtime on
            the CPU for an ``.onnx`` file; `edge_sr.model.resolver` finds the engine of one.
        threads: for CPU inference; None for all cores.
        slots: frames that may be in flight on a GPU.
        graphs: CUDA graphs with TensorRT: "on", "off", or "auto" for what is measured better.

    Raises:
        UsageError: no such backend.
        MissingDependencyError, BackendError: as the backend's own.
    """
    if sidecar.scalars:
        asked = ", ".join(sidecar.scalars)
        raise BackendError(f"{path}: the model needs {asked}, which this edge-sr cannot give yet")
    if backend == "tensorrt" or (backend == "auto" and path.suffix == ".engine"):
        if path.suffix != ".engine":
            raise UsageError(
                f"{path} is no engine: build one with python -m convert.build_engine --model "
                f"{path}, or let edge-sr run --backend tensorrt do it"
            )
        return TensorRTBackend(path, sidecar, slots=slots, graphs=graphs)
    if backend in ("auto", "onnxruntime"):
        return OnnxRuntimeBackend(path, sidecar, threads=threads)
    if backend == "nearest":
        return NearestBackend(sidecar)
    raise UsageError(f"backend is {backend!r}; expected {', '.join(BACKENDS)}")
