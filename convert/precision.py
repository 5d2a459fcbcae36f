"""A float32 ONNX network -> float16 or int8, with the loss measured and bounded.

``python -m convert.precision --model FILE.onnx --to fp16|int8 --output FILE.onnx``
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from calibration.network.fp16 import BAR_DB, to_fp16
from calibration.network.write import check_output
from calibration.quantize.judge import NEAR_DB
from calibration.quantize.search import table
from calibration.quantize.write_int8 import kept_out, to_int8
from convert.command import Steps, add_minutes
from convert.onnx.frame_file import frame_file
from edge_sr.backend import ON_CPU, installed_on_cpu
from edge_sr.cli.common import exit_codes, make_parser
from edge_sr.model.fastest import measure
from edge_sr.model.import_options import add_import_options, import_options
from edge_sr.model.precision import candidates
from edge_sr.model.sidecar import Sidecar

EXAMPLES = """\
examples:
  python -m convert.precision --model x2.onnx --to fp16 --output x2.fp16.onnx
  python -m convert.precision --model x2.onnx --to int8 --frames frames/ --output x2.int8.onnx
  python -m convert.precision --model x2.onnx --to int8 --around fp16 --output x2.int8.trt.onnx
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line, without running anything."""
    parser = make_parser(
        "python -m convert.precision",
        "Convert a float32 ONNX super-resolution network to fp16 or int8.",
        examples=EXAMPLES,
    )
    parser.add_argument("--model", type=Path, required=True, help="a float32 .onnx file")
    parser.add_argument("--to", choices=("fp16", "int8"), required=True)
    parser.add_argument("--output", type=Path, required=True, help="the .onnx file to write")
    parser.add_argument(
        "--frames", type=Path, help="a folder of calibration frames (default: edge-sr's own set)"
    )
    add_import_options(parser)
    int8 = parser.add_argument_group("int8")
    int8.add_argument("--ranges", type=Path, help="ranges.json over the same frames, to reuse")
    int8.add_argument("--plan", type=Path, help="best.plan.json of training.qat, used as it is")
    int8.add_argument(
        "--around",
        choices=("fp32", "fp16"),
        default="fp32",
        help="what is not int8: fp32 for ONNX Runtime on a CPU (default), fp16 for TensorRT",
    )
    int8.add_argument(
        "--max-loss-db",
        type=float,
        default=0.05,
        help="PSNR-Y that int8 may lose; the worst layers stay in float for it (default: 0.05)",
    )
    int8.add_argument(
        "--floor-db",
        type=float,
        default=NEAR_DB,
        metavar="DB",
        help="PSNR against fp32 that the worst picture must have, and 99.9 %% of its samples "
        "within 8 levels; 0: any (default: 45)",
    )
    int8.add_argument("--allow-loss", action="store_true", help="write it even if more is lost")
    add_minutes(parser)
    parser.add_argument("--force", action="store_true", help="replace an existing output")
    return parser


@exit_codes("precision")
def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 when the file was written, 1 when it was not; wrong usage exits with 2."""
    parser = build_parser()
    args = parser.parse_args(argv)
    if args.max_loss_db <= 0:
        parser.error("--max-loss-db must be above 0; --allow-loss writes the file whatever is lost")
    check_output(args.output, force=args.force)
    model, facts = frame_file(args.model, import_options(args), Steps())
    print(_fp16(args, model) if args.to == "fp16" else _int8(args, model, facts))
    return 0


def _fp16(args: argparse.Namespace, model: Path) -> str:
    sidecar, kept = to_fp16(
        model, args.output, frames=args.frames, minutes=args.minutes, force=args.force
    )
    for name, reason in kept.items():
        print(f"kept in fp32: {name}: {reason}", file=sys.stderr)
    return (
        f"{args.output}: fp16, {sidecar.quality['fp16_psnr_db']:.1f} dB from fp32 "
        f"(expected {BAR_DB:g} or more), {len(kept)} nodes in fp32"
    )


def _int8(args: argparse.Namespace, model: Path, facts: Sidecar) -> str:
    sidecar, result = to_int8(
        model,
        args.output,
        frames=args.frames,
        ranges=args.ranges,
        plan=args.plan,
        around=args.around,
        max_loss_db=args.max_loss_db,
        allow_loss=args.allow_loss,
        minutes=args.minutes,
        floor_db=args.floor_db,
        force=args.force,
    )
    out = kept_out(result, args.around)
    rows = [
        replace(row, kept=str(out[row.name]["why"]) if row.name in out else "")
        for row in result.found.rows
    ]
    print(table(rows), file=sys.stderr)
    layers = sum(not row.is_identity and row.name not in out for row in result.found.rows)
    if out:
        print(f"kept in {args.around}: {', '.join(out)}", file=sys.stderr)
    return (
        f"{args.output}: int8 with {args.around} around, loses "
        f"{sidecar.quality['int8_loss_db']:.3f} dB ({args.max_loss_db:g} allowed), "
        f"{result.nearness.describe()}, "
        f"{layers} layers int8, {len(out)} kept in {args.around}"
        + (f"\n{speed(model, facts, args.output, sidecar)}" if args.around == "fp32" else "")
    )


def speed(model: Path, facts: Sidecar, small: Path, small_facts: Sidecar) -> str:
    """One line: what int8 takes beside float32 on this CPU, in every runtime that is installed.

    Measured in turns on a strip of a frame of 1280x720, or of the size that the model takes.

    Args:
        model, facts: the float32 file.
        small, small_facts: the int8 file made of it.
    """
    files = [(model, facts), (small, small_facts)]
    found = candidates(files, installed_on_cpu() or [ON_CPU[0]], keep=True)
    measured, _ = measure(found, width=facts.width or 1280, height=facts.height or 720)
    ran = [
        (result.seconds, item)
        for item, result in zip(found, measured, strict=True)
        if result.seconds is not None
    ]
    if not ran:
        return "its speed is not known: neither file runs here"
    least, best = min(ran, key=lambda pair: pair[0])
    others = [
        f"{item.label} takes {took / least:.2f} of its time"
        for took, item in ran
        if item is not best
    ]
    advice = [] if best.sidecar.precision == "int8" else ["on this CPU keep the fp32 file"]
    return "; ".join([f"fastest on this CPU: {best.label}", *others, *advice])


if __name__ == "__main__":
    sys.exit(main())
