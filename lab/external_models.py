"""What precision costs networks that are not ours: fp16 and int8 by ``convert.precision``, judged.

``python -m lab.external_models --rivals bench/peers.toml --images Set5``
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.measure.device import device_facts, device_state
from bench.models.adapters import Rival, prepare, read_rivals
from bench.models.contenders import Contender
from bench.models.params import load_graph
from bench.quality.images import ImageSet, list_images, read_set
from edge_sr.backend.cpu import usable_cores
from edge_sr.children import child_environment, module_command
from edge_sr.cli.common import exit_codes, make_parser
from edge_sr.cli.options import at_least_one
from edge_sr.errors import EdgeSRError, ModelFileError
from edge_sr.model.sidecar import Sidecar, load_sidecar
from edge_sr.progress import item_progress
from lab.tables.section import show_or_replace
from lab.tables.target_measures import measure_quality

BOUND_DB = 0.15  # that int8 may cost a network which nobody adapted, on every picture set
EXAMPLES = """\
examples:
  python -m lab.external_models --rivals bench/peers.toml --images Set5
  python -m lab.external_models --rivals peers.toml --images Set5 Set14 --write docs/int8.md
"""


@dataclass(frozen=True, kw_only=True)
class ExternalModel:
    """One network and its two files."""

    name: str
    fp16_db: float  # PSNR of the fp16 result against the fp32 one
    held_out_loss_db: float  # PSNR-Y that int8 loses on frames kept out of calibration
    losses_db: tuple[float, ...]  # the same on each picture set
    layers: int  # in int8
    left_out: int
    cpu_s: float  # of making the int8 file


def convert(source: Path, output: Path, to: str, *more: str) -> tuple[Sidecar, float]:
    """Run ``python -m convert.precision``; its sidecar and CPU seconds.

    Raises:
        ModelFileError: it refused; the reason stands on stderr.
    """
    arguments = ["--model", str(source), "--to", to, "--output", str(output), *more]
    child = subprocess.Popen(
        module_command("convert.precision", arguments),
        stdout=subprocess.DEVNULL,
        env=child_environment(),
    )
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise ModelFileError(f"{source}: cannot be made {to}; see above")
    return load_sidecar(output), used.ru_utime + used.ru_stime


def judge(
    rival: Rival, sets: Sequence[ImageSet], folder: Path, *, max_loss_db: float, threads: int
) -> ExternalModel:
    """Convert one network both ways and measure what int8 loses.

    Raises:
        EdgeSRError: it cannot be converted or run.
    """
    options = rival.import_options
    half, _ = convert(rival.file, folder / f"{rival.name}.fp16.onnx", "fp16", *options)
    path = folder / f"{rival.name}.int8.onnx"
    card, cpu_s = convert(rival.file, path, "int8", "--max-loss-db", str(max_loss_db), *options)
    scores = []
    for file, sidecar in (prepare(rival, folder), (path, card)):
        contender = Contender(
            kind="rival", path=str(file), file_bytes=0, sidecar=sidecar, backend="auto"
        )
        scores.append([found.luma for found in measure_quality(contender, sets, threads)])
    weights = {item.name for item in load_graph(path).graph.initializer}
    out = card.training["conversion"]["kept_out_of_int8"]
    return ExternalModel(
        name=rival.name,
        fp16_db=half.quality["fp16_psnr_db"],
        held_out_loss_db=card.quality["int8_loss_db"],
        losses_db=tuple(before - after for before, after in zip(*scores, strict=True)),
        layers=sum(name.endswith("_int8") for name in weights),
        left_out=len(out),
        cpu_s=cpu_s,
    )


def render(found: Sequence[ExternalModel], sets: Sequence[str], note: str) -> str:
    """The table; ``note`` says when, where and how."""
    columns = ["network", "fp16, dB from fp32", "int8 loss, held-out frames"]
    columns += [*(f"{name}" for name in sets), "layers in int8", "left out", "CPU s"]
    lines = ["| " + " | ".join(columns) + " |", "|---" + "|---:" * (len(columns) - 1) + "|"]
    for item in found:
        losses = [f"{loss:.3f}" for loss in (item.held_out_loss_db, *item.losses_db)]
        cells = [item.name, f"{item.fp16_db:.1f}", *losses, str(item.layers), str(item.left_out)]
        lines.append("| " + " | ".join([*cells, f"{item.cpu_s:.0f}"]) + " |")
    return "\n".join([*lines, "", note])


def build_parser() -> argparse.ArgumentParser:
    """The command line, without running anything."""
    parser = make_parser(
        "python -m lab.external_models",
        "Make fp16 and int8 files of rival networks and measure what they lose.",
        examples=EXAMPLES,
    )
    parser.add_argument("--rivals", type=Path, required=True, metavar="FILE.toml")
    parser.add_argument("--images", type=Path, nargs="+", required=True, help="picture sets")
    parser.add_argument(
        "--max-loss-db", type=float, default=0.08, help="of convert.precision; default: 0.08"
    )
    parser.add_argument("--threads", type=at_least_one, default=min(2, usable_cores()))
    parser.add_argument("--write", type=Path, metavar="FILE.md", help="into its marks, not stdout")
    return parser


@exit_codes("bench")
def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 when every network was converted and measured, else 1."""
    args = build_parser().parse_args(argv)
    found = []
    sets = [read_set(path.resolve().name, list_images(path)) for path in args.images]
    rivals = read_rivals(args.rivals)
    with tempfile.TemporaryDirectory(prefix="edge-sr-bench-") as name:
        for rival in item_progress(rivals, total=len(rivals), unit="network"):
            try:
                found.append(
                    judge(
                        rival,
                        sets,
                        Path(name),
                        max_loss_db=args.max_loss_db,
                        threads=args.threads,
                    )
                )
            except EdgeSRError as error:
                print(f"bench: {rival.name}: {error}", file=sys.stderr)
    kept = sum(max(item.losses_db) <= BOUND_DB for item in found)
    note = (
        f"{device_state().utc}, {device_facts().name}, ONNX Runtime, the CPU's "
        f"variant, `--max-loss-db {args.max_loss_db:g}`, edge-sr's own frames. Losses are PSNR-Y "
        f"against fp32. Within {BOUND_DB:g} dB on every set: {kept} of {len(rivals)}."
    )
    table = render(found, [item.name for item in sets], note)
    show_or_replace(table, args.write, "external-models")
    return 0 if len(found) == len(rivals) else 1


if __name__ == "__main__":
    sys.exit(main())
