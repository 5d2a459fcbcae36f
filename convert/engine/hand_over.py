"""What the user gets of a finished engine: words about it, a copy, and what to do next."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

from convert.command import Steps
from convert.engine.build import Engine
from convert.engine.census import tell
from edge_sr.cuda import driver
from edge_sr.errors import ModelFileError
from edge_sr.files import whole_file
from edge_sr.model.engine_facts import facts_of, seal
from edge_sr.model.sidecar import sidecar_path, write_sidecar

NOT_READ = "counted before building: the inspector needs the GPU"


def tell_engine(engine: Engine, steps: Steps) -> None:
    """Say what it is: sizes, layers, and how it was tried."""
    card, facts = engine.sidecar, engine.facts
    if facts.sizes:
        low, _, high = (f"{columns}x{rows}" for rows, columns in facts.sizes.values())
        shape = f"{low} to {high}"
    else:
        shape = f"{card.width}x{card.height} -> {card.output_width}x{card.output_height}"
    took = None if engine.reused else facts.build_seconds
    steps.line("engine", f"{facts.built}: {shape}{' (reused)' * engine.reused}", took)
    counted = "read back from the engine" if facts.census_source == "inspector" else NOT_READ
    steps.line("layers", f"{tell(facts.census)}; {counted}")
    if isinstance(facts.verified, str):
        steps.line("tried", facts.verified)
    else:
        found = facts.verified
        steps.line(
            "tried",
            f"on {found['gpu']}: {found['psnr_db']:.1f} dB from ONNX Runtime over "
            f"{found['frames']} frames, at most {found['max_difference']} grey levels",
        )


def put_copy(engine: Engine, output: Path) -> Path:
    """Copy engine and sidecar out of the cache, whole or not at all.

    Raises:
        ModelFileError: they cannot be written.
    """
    with whole_file(output, error=ModelFileError) as part:
        shutil.copyfile(engine.path, part)
    card = replace(engine.sidecar, name=output.stem)
    write_sidecar(output, seal(card, facts_of(engine.sidecar)))
    return output


def tell_file(engine: Engine, path: Path, steps: Steps, *, as_json: bool) -> None:
    """Print which file it is, or its facts as JSON, and say how to use it."""
    card = engine.sidecar
    if as_json:
        facts = {"file": str(path), "reused": engine.reused, "precision": card.precision}
        print(json.dumps(facts | {"engine": engine.facts.to_dict()}))
        return
    mib = path.stat().st_size / 2**20
    print(f"{path}: {card.precision}, {mib:.1f} MiB")
    if path != engine.path:
        steps.note(f"its facts: {sidecar_path(path)}; the two travel together")
    here = driver.find_gpu()[0] is not None
    model = path if here else path.name
    command = f"edge-sr run --model {model} --backend tensorrt --input VIDEO --output OUT.mp4"
    take = "" if here else "copy it and its .json to the machine with the GPU; there: "
    steps.note(f"next: {take}{command}")
