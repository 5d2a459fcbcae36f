"""How large the activations of a network become on calibration frames, and where to clip them.

``python -m calibration.ranges --model FILE.onnx --frames FOLDER --output ranges.json``
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from calibration.frames.frames import open_frames
from calibration.network.load import load_network
from calibration.quantize.judge import split
from calibration.quantize.ranges import measure_ranges, save_ranges
from edge_sr.cli.common import exit_codes, make_parser
from edge_sr.errors import ModelFileError
from edge_sr.model.external import model_file
from edge_sr.model.import_options import add_import_options, import_options

EXAMPLES = """\
example:
  python -m calibration.ranges --model x2.onnx --frames frames/ --output ranges.json
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line, without running anything."""
    parser = make_parser(
        "python -m calibration.ranges",
        "Measure the ranges of a network's activations over calibration frames.",
        examples=EXAMPLES,
    )
    parser.add_argument("--model", type=Path, required=True, help="a float32 .onnx or .keras file")
    parser.add_argument("--frames", type=Path, help="a folder of frames (default: our own set)")
    parser.add_argument("--output", type=Path, required=True, help="the .json file to write")
    add_import_options(parser)
    parser.add_argument("--force", action="store_true", help="replace an existing output")
    return parser


@exit_codes("ranges")
def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 when the ranges were written, 1 when not; wrong usage exits with 2."""
    args = build_parser().parse_args(argv)
    if args.output.exists() and not args.force:
        raise ModelFileError(f"{args.output}: exists; use --force to replace it")
    network = load_network(Path(model_file(str(args.model), import_options(args))))
    ranges = measure_ranges(network, split(open_frames(args.frames).guarded(network.io))[0])
    save_ranges(args.output, ranges, force=args.force)
    left_out = f", {len(ranges.skipped)} left out" if ranges.skipped else ""
    print(f"{args.output}: {len(ranges.tensors)} tensors over {ranges.frames} frames{left_out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
