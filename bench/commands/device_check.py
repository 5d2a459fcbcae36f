"""`python -m bench device-check`: whether edge-sr works on this GPU, and how fast.

Whoever has a GPU that we have not can run it and attach the two files it writes to an issue.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.check.options import Options
from bench.check.page import NAME, Pages, summary
from bench.check.plan import cuda_steps, engine_files, engine_steps, run_plan
from edge_sr.cli.common import add_command
from edge_sr.cli.options import add_device, at_least_one, frame_size
from edge_sr.cuda import driver
from edge_sr.errors import BackendError
from edge_sr.model.resolver import note

EXAMPLES = """\
examples:
  python -m bench device-check
  python -m bench device-check --minutes 30 --models edge-unet-s-x2 edge-unet-m-x2
  python -m bench device-check --engines mine.engine --frames 5000
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The options of `device-check`."""
    command = add_command(
        commands,
        NAME,
        "Try this GPU step by step: driver, memory, CUDA graphs, frames in flight, a fault; then "
        "build engines, compare them with ONNX Runtime, time them with and without CUDA graphs "
        "and overlap, and look for leaks in a long run. Steps that cannot run say why.",
        summary="try the GPU: same pictures as on the CPU, speed, leaks",
        examples=EXAMPLES,
    )
    command.add_argument("--models", nargs="+", metavar="MODEL", default=["edge-unet-s-x2"])
    command.add_argument(
        "--precisions", nargs="+", choices=("fp32", "fp16", "int8"), default=["fp16", "int8"]
    )
    command.add_argument(
        "--engines", nargs="+", type=Path, default=[], metavar="FILE", help="built before, instead"
    )
    command.add_argument("--size", type=frame_size, default=(1280, 720), metavar="WxH")
    command.add_argument(
        "--frames", type=at_least_one, default=1000, metavar="N", help="of the long run (1000)"
    )
    command.add_argument(
        "--timed", type=at_least_one, default=300, metavar="N", help="frames of each timing (300)"
    )
    command.add_argument(
        "--minutes",
        type=at_least_one,
        default=10,
        metavar="N",
        help="stop after so long; steps that were not begun are named (10)",
    )
    add_device(command)
    command.add_argument("--output", type=Path, default=Path(NAME), metavar="DIR")
    command.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    """Returns 0 when no step failed, 1 otherwise; the files say which.

    Raises:
        BackendError: there is no GPU.
        ModelFileError: the files cannot be written.
    """
    gpu, why_not = driver.find_gpu()
    if gpu is None:
        raise BackendError(f"{why_not}: device-check needs an NVIDIA GPU")
    note(f"device-check on {gpu.name} ({gpu.compute_capability}), at most {args.minutes} minutes")
    options = Options(size=args.size, frames=args.frames, timed=args.timed)
    engines = engine_files(args.engines) or engine_steps(args.models, args.precisions)
    pages = Pages(args.output, options, minutes=args.minutes)
    outcomes = run_plan([*cuda_steps(), *engines], options, minutes=args.minutes, keep=pages.write)
    print(f"{args.output / NAME}.json and .md: {summary(outcomes)}")
    return 1 if any(outcome.state == "failed" for outcome in outcomes) else 0
