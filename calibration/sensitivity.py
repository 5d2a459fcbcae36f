"""What each layer loses in int8, and which stay out of it for the bound: table and bar chart.

``python -m calibration.sensitivity --model FILE.onnx --frames FOLDER --output layers.json``
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from calibration.frames.charts import layer_chart
from calibration.frames.frames import open_frames
from calibration.network.load import Network, load_network
from calibration.quantize.equalise import equalise
from calibration.quantize.judge import Judge, split
from calibration.quantize.qdq import tensors_of
from calibration.quantize.ranges import load_ranges, measure_ranges
from calibration.quantize.search import Found, LossError, find_plan, table
from edge_sr.cli.common import exit_codes, make_parser
from edge_sr.errors import ModelFileError
from edge_sr.files import whole_file
from edge_sr.model.external import model_file
from edge_sr.model.import_options import add_import_options, import_options

EXAMPLES = """\
example:
  python -m calibration.sensitivity --model x2.onnx --frames frames/ --output layers.json
  (writes layers.json and layers.png)
"""


def save(path: Path, network: Network, frames_sha256: str, found: Found, bound_db: float) -> Path:
    """Write the table as JSON and the chart beside it; returns the chart's path.

    Raises:
        ModelFileError: they cannot be written.
    """
    content = {
        "model": network.path.name,
        "model_sha256": network.sha256,
        "frames_sha256": frames_sha256,
        "max_loss_db": bound_db,
        "loss_db": found.loss_db,
        "layers": [
            asdict(row) | {"sqnr_db": None if math.isnan(row.sqnr_db) else row.sqnr_db}
            for row in found.rows
        ],
        "range_methods": found.methods,
        "plan": {
            "layers": sorted(found.plan.layers),
            "clips": {
                name: found.plan.clips[name] for name in tensors_of(network.model, found.plan)
            },
            "float_residuals": sorted(found.plan.float_residuals),
        },
    }
    chart = path.with_suffix(".png")
    with whole_file(path, error=ModelFileError) as part:
        part.write_text(json.dumps(content, indent=1) + "\n")
        title = f"{network.path.name}: {found.loss_db:.3f} dB lost in all, {bound_db:g} allowed"
        layer_chart(chart, [(r.name, r.loss_db, bool(r.kept)) for r in found.rows], title)
    return chart


def build_parser() -> argparse.ArgumentParser:
    """The command line, without running anything."""
    parser = make_parser(
        "python -m calibration.sensitivity",
        "Quantise one layer at a time and measure what it costs.",
        examples=EXAMPLES,
    )
    parser.add_argument("--model", type=Path, required=True, help="a float32 .onnx or .keras file")
    parser.add_argument("--frames", type=Path, help="a folder of frames (default: our own set)")
    parser.add_argument("--ranges", type=Path, help="ranges.json over the same frames, to reuse")
    parser.add_argument("--output", type=Path, required=True, help="the .json file to write")
    parser.add_argument("--max-loss-db", type=float, default=0.05, help="default: 0.05")
    parser.add_argument("--allow-loss", action="store_true", help="exit 0 even if more is lost")
    add_import_options(parser)
    parser.add_argument("--force", action="store_true", help="replace existing outputs")
    return parser


@exit_codes("sensitivity")
def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 when the bound holds, 1 when not or something fails; wrong usage exits with 2."""
    parser = build_parser()
    args = parser.parse_args(argv)
    if args.max_loss_db <= 0:
        parser.error("--max-loss-db must be above 0")
    if args.output.suffix != ".json":
        parser.error(f"--output {args.output}: expected a name that ends in .json")
    if args.output.exists() and not args.force:
        raise ModelFileError(f"{args.output}: exists; use --force to replace it")
    network = load_network(Path(model_file(str(args.model), import_options(args))))
    frames = open_frames(args.frames).guarded(network.io)
    judge = Judge(network, frames)
    if args.ranges is not None:
        ranges = load_ranges(args.ranges)
        ranges.check(network, frames)
    else:
        judge.network = equalise(judge)
        ranges = measure_ranges(judge.network, split(frames)[0])
    found = find_plan(judge, ranges, max_loss_db=args.max_loss_db)
    chart = save(args.output, network, frames.sha256, found, args.max_loss_db)
    print(table(found.rows))
    print(f"look at {chart}", file=sys.stderr)
    if found.loss_db > args.max_loss_db and not args.allow_loss:
        raise LossError(
            f"{args.model}: int8 loses {found.loss_db:.3f} dB, {args.max_loss_db:g} allowed; "
            "use fp16, or --allow-loss"
        )
    kept = sum(bool(row.kept) for row in found.rows)
    print(f"{found.loss_db:.4f} dB lost with {len(found.plan.layers)} layers in int8, {kept} out")
    return 0


if __name__ == "__main__":
    sys.exit(main())
