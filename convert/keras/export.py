"""The export itself, in the process that imports TensorFlow: `child.export_in_child` starts it.

A Keras file that crashes or hangs TensorFlow takes nothing else with it; the process that asked
gets an ONNX file with its sidecar, or one line that says what is wrong.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx

from calibration.network.graph_size import count_macs, set_size
from calibration.network.write import check_output
from convert.command import RANGES
from convert.keras import to_onnx as from_keras
from convert.keras.parity import check_parity
from convert.onnx.add_frame_io import add_frame_io
from edge_sr.errors import EdgeSRError, ModelFileError
from edge_sr.model.sidecar import Sidecar, sha256_of, write_sidecar
from edge_sr.reading import parse_json
from edge_sr.writing import whole_file
from training.models.open import open_model

TRACE = 24  # multiples of the size step that a free-size model is traced at


def export_here(
    source: Path,
    output: Path,
    *,
    size: tuple[int, int] | None = None,
    value_range: str = "0..255",
    force: bool = False,
) -> Sidecar:
    """`export` in this process, which imports TensorFlow.

    Raises:
        ModelFileError: as `export`.
    """
    check_output(output, force=force)
    model = open_model(source)
    contract = from_keras.probe(model)
    if contract.size and size and contract.size != size:
        rows, columns = contract.size
        raise ModelFileError(f"{source}: takes {columns}x{rows} only; leave --size out")
    size = contract.size or size
    step = contract.multiple
    rows, columns = (-(-side // step) * step for side in size or (TRACE * step, (TRACE + 1) * step))
    core = from_keras.to_core(model, rows, columns)
    if size is None:
        set_size(core, None, None)
    io: dict[str, Any] = {
        "channels": contract.channels,
        "multiple": step,
        "scale": contract.scale,
        "size": size,
        "target": contract.target,
        "value_range": RANGES[value_range],
    }
    wrapped = add_frame_io(core, **io)
    name, parameters = from_keras.architecture(model)
    with whole_file(output, error=ModelFileError) as part:
        onnx.save(wrapped, part)
        check_parity(from_keras.reference(model), part, **io)
        sidecar = Sidecar(
            name=output.stem,
            architecture=name,
            scale=str(contract.scale),
            color="luma" if contract.channels == 1 else "rgb",
            width=size[1] if size else None,
            height=size[0] if size else None,
            output_width=_side(wrapped, 2) if size else None,
            output_height=_side(wrapped, 1) if size else None,
            precision="fp32",
            parameters=parameters,
            macs_720p=count_macs(core, *(contract.size or (720, 1280))),
            sha256=sha256_of(part),
            made_from=source.name,
            made_from_sha256=sha256_of(source),
            training=_training_record(source),
            tools=from_keras.tools(),
        )
    write_sidecar(output, sidecar)
    return sidecar


def _training_record(source: Path) -> dict[str, Any]:
    """What `training.train` wrote beside the Keras file, if it did."""
    path = source.with_name(source.name + ".json")
    if not path.exists():
        return {}
    try:
        found = parse_json(path.read_text())
    except ValueError as error:
        raise ModelFileError(f"{path}: not JSON ({error}); mend or remove it") from error
    if not isinstance(found, dict):
        raise ModelFileError(f"{path}: expected a JSON object; mend or remove it")
    return found


def _side(model: onnx.ModelProto, axis: int) -> int:
    return int(model.graph.output[0].type.tensor_type.shape.dim[axis].dim_value)


def main(argv: Sequence[str]) -> int:
    """The child: 0 when the file was written; 1 with one line on stdout when it was not."""
    size, value_range, force = json.loads(argv[2])
    try:
        export_here(
            Path(argv[0]),
            Path(argv[1]),
            size=tuple(size) if size else None,
            value_range=value_range,
            force=force,
        )
    except EdgeSRError as error:
        print(error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
