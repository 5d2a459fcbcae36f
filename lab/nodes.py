"""Where a network's time goes on this CPU: ONNX Runtime's profile, node by node.

``python -m lab.nodes --models edge-unet-s-x2 --size 1280x720``
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.measure.device import device_facts, device_state
from edge_sr import zoo
from edge_sr.backend.cpu import usable_cores
from edge_sr.backend.onnxruntime.backend import PROVIDER
from edge_sr.cli.common import exit_codes, make_parser
from edge_sr.cli.options import at_least_one, frame_size
from edge_sr.model.onnx_file import refuse_external_data
from lab.tables.section import replace_section

WARM_UP = 2
EXAMPLES = """\
example:
  python -m lab.nodes --models edge-unet-s-x2 edge-unet-s-x2.int8 --size 1280x720
"""


@dataclass(frozen=True)
class NodeTime:
    """One node of the optimised graph, as ONNX Runtime ran it."""

    name: str
    op: str  # operator after ONNX Runtime's fusions and layout changes
    ms: float  # median over the runs


def profile(path: Path, width: int, height: int, *, runs: int, threads: int) -> list[NodeTime]:
    """The nodes in the order they ran, for a uint8 frame of noise (1, height, width, C).

    Raises:
        ModelFileError: the model or its sidecar cannot be read.
    """
    import onnxruntime

    _, sidecar = zoo.find(str(path))
    refuse_external_data(path)
    frame = np.random.default_rng(0).integers(
        0, 256, (1, height, width, sidecar.channels), np.uint8
    )
    with tempfile.TemporaryDirectory(prefix="edge-sr-bench-") as folder:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = onnxruntime.InferenceSession(str(path), options, providers=[PROVIDER])
        for _ in range(WARM_UP + runs):
            session.run(None, {session.get_inputs()[0].name: frame})
        events = json.loads(Path(session.end_profiling()).read_text())
    return _medians(events)


def _medians(events: list[dict[str, object]]) -> list[NodeTime]:
    """Kernel times of a profile; each node occurs once a run, the warm-up's are left out."""
    micros: dict[str, list[float]] = defaultdict(list)
    ops: dict[str, str] = {}
    for event in events:
        name, args = str(event.get("name", "")), event.get("args")
        if event.get("cat") != "Node" or not name.endswith("_kernel_time"):
            continue
        node = name.removesuffix("_kernel_time")
        micros[node].append(float(str(event["dur"])))
        ops[node] = str(args.get("op_name", "")) if isinstance(args, dict) else ""
    return [
        NodeTime(node, ops[node], statistics.median(times[WARM_UP:]) / 1000)
        for node, times in micros.items()
    ]


def table(nodes: Sequence[NodeTime], *, least: float = 0.005) -> str:
    """Markdown; nodes of less than ``least`` of the whole are summed up in one line."""
    total = sum(node.ms for node in nodes)
    lines = ["| node | operator | ms | share |", "|---|---|---:|---:|"]
    rest = [node for node in nodes if node.ms < least * total]
    lines += [
        f"| {node.name} | {node.op} | {node.ms:.2f} | {node.ms / total:.1%} |"
        for node in nodes
        if node not in rest
    ]
    if rest:
        left = sum(node.ms for node in rest)
        lines.append(f"| {len(rest)} others | | {left:.2f} | {left / total:.1%} |")
    return "\n".join([*lines, f"| **all** | | **{total:.2f}** | |"])


def build_parser() -> argparse.ArgumentParser:
    """The command line, without running anything."""
    parser = make_parser(
        "python -m lab.nodes", "Time every node of a network on this CPU.", examples=EXAMPLES
    )
    parser.add_argument("--models", nargs="+", required=True, help="shipped models or .onnx files")
    parser.add_argument("--size", type=frame_size, default=(1280, 720), metavar="WxH")
    parser.add_argument(
        "--runs", type=at_least_one, default=10, help="after two to warm up (default: 10)"
    )
    parser.add_argument("--threads", type=at_least_one, help="default: all cores")
    parser.add_argument("--write", type=Path, metavar="FILE.md", help="into its marks, not stdout")
    return parser


@exit_codes("bench")
def main(argv: Sequence[str] | None = None) -> int:
    """Print a table for each model. Returns 0 when all were profiled."""
    args = build_parser().parse_args(argv)
    parts = []
    for model in args.models:
        path, sidecar = zoo.find(model)
        threads = args.threads or usable_cores()
        nodes = profile(path, *args.size, runs=args.runs, threads=threads)
        columns, rows = args.size
        parts.append(
            f"{sidecar.name}, {columns}x{rows}, {threads} threads, {args.runs} runs\n\n"
            f"{table(nodes)}"
        )
    text = "\n\n".join(parts)
    if args.write:
        state = device_state()
        where = f"{state.utc}, {device_facts().name}"
        note = f"{where}, load average {state.load}. Medians of each node."
        replace_section(args.write, "nodes", f"{note}\n\n{text}")
    else:
        print(text, end="\n\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
