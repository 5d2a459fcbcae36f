"""Engine files of the fake TensorRT, with the sidecars that real ones have."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import tensorrt

from edge_sr import zoo
from edge_sr.model.engine_facts import EngineFacts, seal
from edge_sr.model.sidecar import Sidecar, load_sidecar, write_sidecar

FACTS = EngineFacts(
    flavour="tensorrt",
    version=tensorrt.__version__,
    gpu="CUDA double 0",
    compute_capabilities=("8.7",),
    cuda="13.0",
    l4t="",
    options={},
    census={"fp32": 9},
    census_source="inspector",
    onnx_sha256="0" * 64,
    sizes={"min": (4, 4), "opt": (64, 64), "max": (720, 1280)},
)


def write_engine(
    folder: Path,
    *,
    model: str = "edge-unet-s-x2",
    size: tuple[int, int] | None = None,
    plan: bytes | None = None,
    **facts: Any,
) -> tuple[Path, Sidecar]:
    """An engine of a shipped model and its loaded sidecar.

    Args:
        model: a shipped model's name, or an ONNX file.
        size: (columns, rows) of an engine that takes one size.
        plan: other bytes than the engine's.
        facts: fields of EngineFacts that differ.
    """
    onnx, sidecar = zoo.find(model)
    content = tensorrt.write_plan(onnx.read_bytes(), size) if plan is None else plan
    path = folder / f"{onnx.stem}.engine"
    path.write_bytes(content)
    known = replace(FACTS, onnx_sha256=sidecar.sha256, **facts)
    if size is not None:
        columns, rows = size
        known = replace(known, sizes={})
        sidecar = replace(sidecar, width=columns, height=rows)
    sidecar = replace(sidecar, sha256=hashlib.sha256(content).hexdigest(), made_from=onnx.name)
    write_sidecar(path, seal(sidecar, known))
    return path, load_sidecar(path)
