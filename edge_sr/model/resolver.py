"""Which backend runs a model file here, and with which file: the ONNX file, or an engine of it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge_sr.backend import ON_CPU, installed_on_cpu
from edge_sr.backend.tensorrt.loader import installed_flavour
from edge_sr.cuda import driver
from edge_sr.cuda.machine import this_machine
from edge_sr.errors import BackendError, EdgeSRError, UsageError
from edge_sr.model.build_request import cached_engine, look_up
from edge_sr.model.engine_facts import Machine
from edge_sr.model.sidecar import Sidecar, load_sidecar

ENGINE = ".engine"


@dataclass(frozen=True)
class Resolved:
    """What `open_backend` is to open, and why, in one line, where that was a choice."""

    path: Path
    sidecar: Sidecar
    backend: str  # of backend.BACKENDS without "auto"
    why: str = ""
    bf16: bool = False  # compute in bfloat16 what is not int8


def note(text: str) -> None:
    """Words for the user, on stderr."""
    print(text, file=sys.stderr)


def resolve(
    path: Path,
    sidecar: Sidecar,
    *,
    backend: str,
    size: tuple[int, int],
    precision: str,
    notify: Callable[[str], None] = note,
) -> Resolved:
    """Decide, and build the engine that TensorRT was asked for where none is cached.

    "auto" takes TensorRT for an engine file, and for a model whose engine is cached for this GPU;
    it builds none. Everything else runs on the CPU, in ONNX Runtime where it is installed.

    Args:
        size: (columns, rows) of the frames to come.
        precision: of the engine: "fp32", "fp16" or "int8".
        notify: gets a line before something takes long.

    Raises:
        UsageError: an engine file, and a backend that cannot run it.
        MissingDependencyError, BackendError: TensorRT was asked for and is not installed.
    """
    if path.suffix == ENGINE:
        if backend not in ("auto", "tensorrt"):
            raise UsageError(
                f"{path} is a TensorRT engine, which --backend {backend} cannot run: leave "
                "--backend out, or name the .onnx file"
            )
        return Resolved(path, sidecar, "tensorrt")
    if backend == "tensorrt":
        rows_first = _taken(sidecar, size)
        engine = cached_engine(
            path,
            sidecar,
            size=rows_first,
            precision=precision,
            machine=gpu_machine(),
            notify=notify,
        )
        return Resolved(engine, load_sidecar(engine), "tensorrt")
    if backend == "auto":
        return _choose(path, sidecar, size, precision, notify)
    return Resolved(path, sidecar, backend)


def _choose(
    path: Path,
    sidecar: Sidecar,
    size: tuple[int, int],
    precision: str,
    notify: Callable[[str], None],
) -> Resolved:
    chosen, on_cpu = "auto: on the CPU", (installed_on_cpu() or ON_CPU)[0]
    gpu, why_not = driver.find_gpu()
    if gpu is None:
        return Resolved(path, sidecar, on_cpu, f"{chosen}: {why_not}")
    try:
        machine = gpu_machine()
    except EdgeSRError as error:
        return Resolved(path, sidecar, on_cpu, f"{chosen}, not {gpu.name}: {error}")
    rows_first = _taken(sidecar, size)
    engine = look_up(
        path, sidecar, size=rows_first, precision=precision, machine=machine, notify=notify
    )
    if engine is None:
        why = (
            f"{chosen}, for no {precision} engine of {sidecar.name} at {size[0]}x{size[1]} is "
            f"cached for {machine.gpu}: --backend tensorrt builds it, once"
        )
        return Resolved(path, sidecar, on_cpu, why)
    why = f"auto: TensorRT, for {machine.gpu} has a cached {precision} engine"
    return Resolved(engine, load_sidecar(engine), "tensorrt", why)


def _taken(sidecar: Sidecar, size: tuple[int, int]) -> tuple[int, int]:
    """(rows, columns) of the engine for frames of a size: the model's own, if it takes only one."""
    columns, rows = sidecar.window or size
    return rows, columns


def gpu_machine() -> Machine:
    """This machine, with its GPU and the TensorRT that is installed.

    Raises:
        BackendError: no driver or no GPU, or TensorRT is too old.
        MissingDependencyError: no TensorRT is installed.
    """
    gpu, why_not = driver.find_gpu()
    if gpu is None:
        raise BackendError(f"{why_not}: TensorRT needs an NVIDIA GPU; use --backend onnxruntime")
    flavour, version = installed_flavour()
    return this_machine(flavour, version)
