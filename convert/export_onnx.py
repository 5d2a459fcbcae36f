"""A Keras file -> an ONNX file that takes and gives uint8 frames, checked against Keras.

``python -m convert.export_onnx --model FILE.keras --output FILE.onnx``
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx

from convert.keras.export_child import export_in_child
from convert.keras.parity import check_parity
from convert.onnx.ends import attach_ends
from convert.onnx.graph_size import count_macs, set_size
from convert.sizes import parse_size
from edge_sr.cli.common import exit_codes, make_parser
from edge_sr.errors import ModelFileError
from edge_sr.model.sidecar import Sidecar, load_sidecar, sha256_of, write_sidecar
from edge_sr.reading import parse_json
from edge_sr.writing import whole_file

EXAMPLES = """\
examples:
  python -m convert.export_onnx --model edge-unet-s-x2.keras --output edge-unet-s-x2.onnx
  python -m convert.export_onnx --model mine.keras --range 0..1 --size 1280x720 --output mine.onnx
"""
RANGES = {"0..255": (255.0, 0.0), "0..1": (1.0, 0.0), "-1..1": (2.0, -1.0)}  # levels, offset
TRACE = 24  # multiples of the size step that a free-size model is traced at


def export(
    source: Path,
    output: Path,
    *,
    size: tuple[int, int] | None = None,
    value_range: str = "0..255",
    force: bool = False,
) -> Sidecar:
    """Convert a Keras file, in a child process, and write ``output`` with its sidecar, or nothing.

    A training record ``source.json`` beside the source goes into the sidecar.

    Args:
        size: (rows, columns) to fix the file to; None leaves them free where the model allows.
        value_range: what the Keras model takes and gives for black..white, a key of RANGES.

    Raises:
        ModelFileError: the source cannot be opened safely or is no image-to-image model, the
            output exists or cannot be written, or ONNX Runtime's result is not Keras's.
    """
    _check_output(output, force)  # before TensorFlow takes its seconds to start
    export_in_child(source, output, size=size, value_range=value_range, force=force)
    return load_sidecar(output)


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
    _check_output(output, force)
    from convert.keras import to_onnx as from_keras
    from training.models.open import open_model

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
    ends: dict[str, Any] = {
        "channels": contract.channels,
        "multiple": step,
        "scale": contract.scale,
        "size": size,
        "target": contract.target,
        "value_range": RANGES[value_range],
    }
    wrapped = attach_ends(core, **ends)
    name, parameters = from_keras.architecture(model)
    with whole_file(output, error=ModelFileError) as part:
        onnx.save(wrapped, part)
        check_parity(from_keras.reference(model), part, **ends)
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


def _check_output(output: Path, force: bool) -> None:
    if output.suffix != ".onnx":
        raise ModelFileError(f"{output}: expected a name that ends in .onnx")
    if output.exists() and not force:
        raise ModelFileError(f"{output}: exists; use --force to replace it")


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


def build_parser() -> argparse.ArgumentParser:
    """The command line, without running anything."""
    parser = make_parser(
        "python -m convert.export_onnx",
        "Convert a Keras super-resolution model to an ONNX file for edge-sr.",
        examples=EXAMPLES,
    )
    parser.add_argument("--model", type=Path, required=True, help="a .keras file")
    parser.add_argument("--output", type=Path, required=True, help="the .onnx file to write")
    parser.add_argument("--size", type=parse_size, help="fix the frame size, as 1280x720")
    parser.add_argument(
        "--range",
        choices=RANGES,
        default="0..255",
        help="what black..white is to the Keras model (default: 0..255, as edge-sr's own)",
    )
    parser.add_argument("--force", action="store_true", help="replace an existing output")
    return parser


@exit_codes("export")
def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 when the file was written, 1 when it was not; wrong usage exits with 2."""
    args = build_parser().parse_args(argv)
    sidecar = export(
        args.model, args.output, size=args.size, value_range=args.range, force=args.force
    )
    size = f"{sidecar.width}x{sidecar.height}" if sidecar.width else "any size"
    print(
        f"{args.output}: {sidecar.color}, x{float(sidecar.ratio):g}, {size}, "
        f"{sidecar.parameters:,} parameters, equal to Keras"
    )
    hint = f"next: edge-sr run --model {args.output} --input VIDEO --output OUT.mp4"
    print(hint, file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
