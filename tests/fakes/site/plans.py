"""Engine files of the fake TensorRT, with the sidecars that real ones have."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import tensorrt

from edge_sr import zoo
from edge_sr.model.engine_facts import EngineFacts, facts_of, seal, tile_sides, tiles_path
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
    content = plan or tensorrt.write_plan(onnx.read_bytes(), size, scale=sidecar.scale)
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


def write_tiles(
    whole: Path,
    *,
    rim: int = 32,
    sides: int | None = None,
    batch: int = 16,
    plan: bytes | None = None,
    **facts: Any,
) -> tuple[Path, Sidecar]:
    """The tile engine of an engine that `write_engine` wrote for one size, and its sidecar.

    Args:
        rim: input pixels around what is kept of a tile.
        sides: the rim by which the engine's sides are; None for the same.
        plan: other bytes than the engine's.
        facts: fields of EngineFacts that differ.
    """
    import onnx as onnx_files  # the runtime's own tests do without it

    from convert.onnx.specialise import free_batch, specialise

    main = load_sidecar(whole)
    onnx = zoo.FOLDER / main.made_from
    rows, columns = tile_sides(main.height or 0, main.width or 0, sides or rim)
    model = specialise(onnx_files.load(onnx), (rows, columns), None)
    free_batch(model)
    content = plan or tensorrt.write_plan(
        model.SerializeToString(), (columns, rows), scale=main.scale, batches=(1, 8, batch)
    )
    path = tiles_path(whole)
    path.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    sidecar = replace(main, name=path.stem, width=columns, height=rows, sha256=digest, engine={})
    known = facts_of(main)
    write_sidecar(path, seal(sidecar, replace(known, **{"batch": batch, "rim": rim, **facts})))
    return path, load_sidecar(path)
