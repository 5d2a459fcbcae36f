"""Backends by name. Nothing heavy is imported until one is opened."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

from edge_sr.backend.nearest import NearestBackend
from edge_sr.backend.onnxruntime.backend import OnnxRuntimeBackend
from edge_sr.backend.openvino.backend import OpenVinoBackend
from edge_sr.backend.protocol import Backend, Batch, Overlapping, TileLayout, Tiling
from edge_sr.backend.tensorrt.backend import TensorRTBackend
from edge_sr.errors import BackendError, UsageError
from edge_sr.model.sidecar import Sidecar

BACKENDS = ("auto", "onnxruntime", "openvino", "tensorrt", "nearest")
ON_CPU = ("onnxruntime", "openvino")  # also the packages that bring them; the first is preferred
DEVICE = re.compile(r"(CPU|GPU|NPU)(\.\d+)?")  # OpenVINO's names

__all__ = [
    "BACKENDS",
    "DEVICE",
    "ON_CPU",
    "Backend",
    "Batch",
    "Overlapping",
    "TileLayout",
    "Tiling",
    "installed_on_cpu",
    "open_backend",
]


def installed_on_cpu() -> list[str]:
    """Those of ON_CPU whose package is installed; it is looked for, and not imported."""
    return [name for name in ON_CPU if importlib.util.find_spec(name) is not None]


def open_backend(
    path: Path,
    sidecar: Sidecar,
    *,
    backend: str = "auto",
    threads: int | None = None,
    slots: int = 2,
    graphs: str = "auto",
    bf16: bool = False,
    device: str | None = None,
) -> Backend:
    """Open a model file whose sidecar has been checked.

    Args:
        backend: one of BACKENDS; "auto" is TensorRT for an ``.engine`` file, and for an ``.onnx``
            file ONNX Runtime on the CPU, or OpenVINO where only that is installed.
            `edge_sr.model.precision.find_model` finds the fastest one, and engines.
        threads: for CPU inference; None for all cores.
        slots: frames that may be in flight, on a GPU and in OpenVINO.
        graphs: CUDA graphs with TensorRT: "on", "off", or "auto" for what is measured better.
        bf16: compute in bfloat16 what is not int8; in OpenVINO only.
        device: of DEVICE, for OpenVINO; None for the CPU. A GPU of TensorRT is chosen by
            `edge_sr.cuda.driver.select_gpu`.

    Raises:
        UsageError: no such backend, or options that it does not have.
        MissingDependencyError, BackendError: as the backend's own.
    """
    if sidecar.scalars:
        asked = ", ".join(sidecar.scalars)
        raise BackendError(f"{path}: the model needs {asked}, which this edge-sr cannot give yet")
    if backend == "auto":
        backend = "tensorrt" if path.suffix == ".engine" else (installed_on_cpu() or ON_CPU)[0]
    if backend != "openvino" and (bf16 or device):
        asked = f"--device {device}" if device else "precision bf16"
        raise UsageError(f"{asked} is OpenVINO's, and --backend is {backend}: use openvino")
    if backend == "tensorrt":
        if path.suffix != ".engine":
            raise UsageError(
                f"{path} is no engine: build one with python -m convert.build_engine --model "
                f"{path}, or let edge-sr run --backend tensorrt do it"
            )
        return TensorRTBackend(path, sidecar, slots=slots, graphs=graphs)
    if backend == "onnxruntime":
        return OnnxRuntimeBackend(path, sidecar, threads=threads)
    if backend == "openvino":
        return OpenVinoBackend(
            path, sidecar, threads=threads, device=device or "CPU", bf16=bf16, slots=slots
        )
    if backend == "nearest":
        return NearestBackend(sidecar)
    raise UsageError(f"backend is {backend!r}; expected {', '.join(BACKENDS)}")
