"""Frames, what ONNX Runtime makes of them, and a backend on the double."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
from plans import write_engine

from edge_sr import zoo
from edge_sr.backend.onnxruntime.backend import OnnxRuntimeBackend
from edge_sr.backend.protocol import Batch
from edge_sr.backend.tensorrt.backend import TensorRTBackend

ROWS, COLUMNS = 12, 20
GRAPHS = os.environ.get("EDGE_SR_CUDA") != "pycuda"
# pycuda keeps a stack of contexts of its own. A failing pop leaves it wrong for good, and
# pycuda ends the process with the thread: it is tested with pops that do not fail. What the driver
# reports while something is given back it prints and does not raise; for memory it asks twice.
UNSURVIVABLE = "" if GRAPHS else "cuCtxPopCurrent"
GIVE_BACK = {"cuStreamDestroy", "cuEventDestroy", "cuMemFree", "cuMemFreeHost"}
# of the reference that this process keeps: without it, contexts come and go, and all works
HELD = {"cuDeviceGet", "cuDevicePrimaryCtxRetain", "cuDevicePrimaryCtxRelease"}
SILENT = HELD if GRAPHS else HELD | GIVE_BACK | {"cuMemAlloc", "cuMemHostAlloc"}


@cache
def frames(count: int) -> list[Batch]:
    """Noise, each frame another."""
    rng = np.random.default_rng(7)
    return [rng.integers(0, 256, (1, ROWS, COLUMNS, 1), np.uint8) for _ in range(count)]


@cache
def expected(count: int) -> list[Batch]:
    """The frames through ONNX Runtime."""
    path, sidecar = zoo.find("edge-unet-s-x2")
    backend = OnnxRuntimeBackend(path, sidecar, threads=1)
    return [backend.infer(frame) for frame in frames(count)]


@cache
def engine() -> tuple[Path, Any]:
    """An engine of the same network for any size."""
    return write_engine(Path(mkdtemp()))


def open_backend(**options: Any) -> TensorRTBackend:
    """With graphs replayed, unless said otherwise: "auto" reads the clock."""
    return TensorRTBackend(*engine(), **{"graphs": "on", **options})


def run_all(backend: TensorRTBackend, given: Iterable[Batch]) -> Iterator[Batch]:
    """Every result, in order, with as many frames in flight as there are slots."""
    for frame in given:
        if backend.in_flight == backend.slots:
            yield backend.collect().copy()
        backend.submit(frame)
    while backend.in_flight:
        yield backend.collect().copy()


def equal(found: Iterable[Batch], wanted: list[Batch]) -> bool:
    pairs = list(zip(found, wanted, strict=True))
    return all(np.array_equal(one, other) for one, other in pairs)
