"""A Keras file -> an ONNX file that takes and gives uint8 frames, checked against Keras.

``python -m convert.export_onnx --model FILE.keras --output FILE.onnx``
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from calibration.network.write import check_output
from convert.command import parse_size
from convert.keras.child import export_in_child
from edge_sr.cli.common import exit_codes, make_parser
from edge_sr.errors import ModelFileError
from edge_sr.model.external import advice_on, is_keras
from edge_sr.model.import_options import add_code_options
from edge_sr.model.sidecar import Sidecar, load_sidecar
from edge_sr.model.value_range import AUTO, add_range_options, check_range, ranges_of

logger = logging.getLogger("convert.export_onnx")  # __name__ is "__main__" in a command

EXAMPLES = """\
examples:
  python -m convert.export_onnx --model edge-unet-s-x2.keras --output edge-unet-s-x2.onnx
  python -m convert.export_onnx --model mine.keras --custom-objects layers.py --output mine.onnx
  python -m convert.export_onnx --model mine.keras --range 0..1 --size 1280x720 --output mine.onnx
"""


def export(
    source: Path,
    output: Path,
    *,
    size: tuple[int, int] | None = None,
    input_range: str = AUTO,
    output_range: str = AUTO,
    custom_objects: Path | None = None,
    trust: bool = False,
    force: bool = False,
) -> Sidecar:
    """Convert a Keras file, in a child process, and write ``output`` with its sidecar, or nothing.

    A training record ``source.json`` beside the source goes into the sidecar.

    Args:
        size: (rows, columns) to fix the file to; None leaves them free where the model allows.
        input_range, output_range: what black and white are to the model, keys of RANGES; "auto"
            runs it and takes what gives a picture.
        custom_objects: a Python file with the model's own layers, which the child runs.
        trust: open what can run code: Lambda layers, ``.h5`` files, SavedModel folders.

    Raises:
        ModelFileError: the source cannot be opened safely or is no image-to-image model, the
            output exists or cannot be written, or ONNX Runtime's result is not Keras's.
    """
    if not is_keras(source) and source.exists():
        reason = advice_on(source) or "is no Keras model; for an ONNX file: edge-sr import"
        raise ModelFileError(f"{source}: {reason}")
    check_output(output, force=force)  # before TensorFlow takes its seconds to start
    lines = export_in_child(
        source,
        output,
        size=size,
        input_range=check_range(input_range),
        output_range=check_range(output_range),
        custom_objects=custom_objects,
        trust=trust,
        force=force,
    )
    for line in lines:
        logger.info("%s", line)
    return load_sidecar(output)


def build_parser() -> argparse.ArgumentParser:
    """The command line, without running anything."""
    parser = make_parser(
        "python -m convert.export_onnx",
        "Convert a Keras super-resolution model to an ONNX file for edge-sr.",
        examples=EXAMPLES,
    )
    parser.add_argument(
        "--model",
        type=Path,
        required=True,
        help="a .keras file; with --trust a .h5 file or SavedModel folder too",
    )
    parser.add_argument("--output", type=Path, required=True, help="the .onnx file to write")
    parser.add_argument("--size", type=parse_size, help="fix the frame size, as 1280x720")
    add_range_options(parser)
    add_code_options(parser)
    parser.add_argument("--force", action="store_true", help="replace an existing output")
    return parser


@exit_codes("export")
def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 when the file was written, 1 when it was not; wrong usage exits with 2."""
    args = build_parser().parse_args(argv)
    taken, given = ranges_of(args)
    sidecar = export(
        args.model,
        args.output,
        size=args.size,
        input_range=taken,
        output_range=given,
        custom_objects=Path(args.custom_objects) if args.custom_objects else None,
        trust=args.trust,
        force=args.force,
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
