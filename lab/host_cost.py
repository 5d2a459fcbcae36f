"""What the GPU backend costs the host for each frame: ``python -m lab.host_cost --engine FILE``.

On the CUDA driver double with an engine that does nothing, the whole time is the host's. On a GPU
the wait for the result is in it, and one slot shows the latency of a frame.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edge_sr.backend.tensorrt.backend import SLOTS, TensorRTBackend
from edge_sr.cli.common import exit_codes, make_parser
from edge_sr.cli.options import at_least_one, frame_size
from edge_sr.model.sidecar import load_sidecar


def host_cost(backend: TensorRTBackend, at: tuple[int, int], frames: int) -> tuple[float, float]:
    """Median microseconds a frame: (everything but copying the frame in, that copy).

    The result is looked at where it lies, as a sink would; every 30th is examined by the guard.
    """
    frame = np.zeros((1, at[1], at[0], backend.sidecar.channels), np.uint8)
    frame[:, ::2] = 200
    whole: list[int] = []
    copies: list[int] = []
    for _ in range(frames + 50):
        while backend.in_flight == backend.slots:
            backend.collect()
        before = time.perf_counter_ns()
        target = backend.input_for(frame)
        ready = time.perf_counter_ns()
        np.copyto(target, frame)
        copied = time.perf_counter_ns()
        backend.submit_input()
        backend.collect()
        whole.append(time.perf_counter_ns() - copied + ready - before)
        copies.append(copied - ready)
    return statistics.median(whole[50:]) / 1e3, statistics.median(copies[50:]) / 1e3


EXAMPLES = """\
example:
  python -m lab.host_cost --engine edge-unet-s-x2.engine --size 1280x720
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line, without running anything."""
    parser = make_parser(
        "python -m lab.host_cost", "Time the GPU backend's work on the host.", examples=EXAMPLES
    )
    parser.add_argument("--engine", type=Path, required=True)
    parser.add_argument("--size", type=frame_size, default=(1280, 720), metavar="WxH")
    parser.add_argument("--frames", type=at_least_one, default=1000, metavar="N")
    return parser


@exit_codes("bench")
def main(argv: Sequence[str] | None = None) -> int:
    """Print both times. Returns 0 when they were measured."""
    args = build_parser().parse_args(argv)
    backend = TensorRTBackend(args.engine, load_sidecar(args.engine), slots=SLOTS)
    try:
        cost, copy = host_cost(backend, args.size, args.frames)
    finally:
        backend.close()
    print(f"{backend.device}, {args.size[0]}x{args.size[1]}, {args.frames} frames")
    print(f"host time a frame, median   {cost:7.1f} us")
    print(f"copying the frame in        {copy:7.1f} us")
    return 0


if __name__ == "__main__":
    sys.exit(main())
