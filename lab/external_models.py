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
from calibration.network.graph_size import layer_macs
from calibration.quantize.check_rules import int8_layers
from edge_sr.backend.cpu import usable_cores
from edge_sr.children import child_environment, module_command
from edge_sr.cli.common import exit_codes, make_parser
from edge_sr.cli.options import at_least_one
from edge_sr.errors import EdgeSRError, ModelFileError
from edge_sr.model.sidecar import Sidecar, load_sidecar
from edge_sr.progress import item_progress
from lab.tables.section import show_or_replace
from lab.tables.target_measures import measure_quality

SHARE = 0.7  # of the multiply-adds that should be int8
BOUND_DB = 0.15  # that int8 may cost a network which nobody adapted, on every picture set
EXAMPLES = """\
examples:
  python -m lab.external_models --rivals bench/peers.toml --images Set5
  python -m lab.external_models --rivals peers.toml --images Set5 Set14 --write docs/int8.md
"""


@dataclass(frozen=True, kw_only=True)
class ExternalModel:
    """One network and its two int8 files: the CPU's, and TensorRT's."""

    name: str
    fp16_db: float  # PSNR of the fp16 result against the fp32 one
    shares: tuple[float | None, float | None]  # of the multiply-adds in int8; None: refused
    # of the CPU's file:
    held_out_loss_db: float | None  # PSNR-Y that int8 loses on frames kept out of calibration
    losses_db: tuple[float, ...]  # the same on each picture set; empty: refused
    left_out: int | None
    cpu_s: float  # of making it


def convert(source: Path, output: Path, to: str, *more: str) -> Sidecar:
    """Run ``python -m convert.precision``; its sidecar.

    Raises:
        ModelFileError: it refused; the reason stands on stderr.
    """
    arguments = ["--model", str(source), "--to", to, "--output", str(output), *more]
    command = module_command("convert.precision", arguments)
    done = subprocess.run(command, stdout=subprocess.DEVNULL, env=child_environment(), check=False)
    if done.returncode:
        raise ModelFileError(f"{source}: cannot be made {to}; see above")
    return load_sidecar(output)


def judge(
    rival: Rival, sets: Sequence[ImageSet], folder: Path, *, max_loss_db: float, threads: int
) -> ExternalModel:
    """Convert one network both ways and measure what int8 loses.

    Raises:
        EdgeSRError: it cannot be converted or run.
    """
    options = rival.import_options
    half = convert(rival.file, folder / f"{rival.name}.fp16.onnx", "fp16", *options)
    paths: list[Path] = []
    cards: list[Sidecar | None] = []
    used = []
    for around in ("fp32", "fp16"):
        path = folder / f"{rival.name}.int8.{around}.onnx"
        paths.append(path)
        more = ("--around", around, "--max-loss-db", str(max_loss_db), *options)
        began = os.times()
        try:
            cards.append(convert(rival.file, path, "int8", *more))
        except ModelFileError as error:
            print(f"bench: {rival.name}: {error}", file=sys.stderr)
            cards.append(None)
        used.append(sum(os.times()[2:4]) - sum(began[2:4]))
    card, scores = cards[0], []
    for file, sidecar in (prepare(rival, folder), (paths[0], card)) if card else ():
        contender = Contender(
            kind="rival", path=str(file), file_bytes=0, sidecar=sidecar, backend="auto"
        )
        scores.append([found.luma for found in measure_quality(contender, sets, threads)])
    losses = zip(*scores, strict=True) if scores else ()
    return ExternalModel(
        name=rival.name,
        fp16_db=half.quality["fp16_psnr_db"],
        shares=(
            int8_share(paths[0]) if cards[0] else None,
            int8_share(paths[1]) if cards[1] else None,
        ),
        held_out_loss_db=card.quality["int8_loss_db"] if card else None,
        losses_db=tuple(before - after for before, after in losses),
        left_out=len(card.training["conversion"]["kept_out_of_int8"]) if card else None,
        cpu_s=used[0],
    )


def int8_share(path: Path) -> float:
    """Of a file's multiply-adds at 96x96, those with an int8 weight, 0 to 1."""
    model = load_graph(path)
    taken = [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]
    axes = (1, 2) if taken[3] in (1, 3) else (2, 3)
    work = layer_macs(model, 96, 96, axes=axes)
    inside = set(int8_layers(model))
    names = {node.output[0]: node.name for node in model.graph.node}
    return sum(macs for name, macs in work.items() if names[name] in inside) / sum(work.values())


def render(found: Sequence[ExternalModel], sets: Sequence[str], note: str) -> str:
    """The table; ``note`` says when, where and how."""
    columns = ["network", "fp16, dB from fp32", "in int8, CPU", "in int8, TensorRT"]
    columns += ["loss, held-out frames", *sets, "layers left out", "CPU s"]
    lines = ["| " + " | ".join(columns) + " |", "|---" + "|---:" * (len(columns) - 1) + "|"]
    for item in found:
        lost = item.held_out_loss_db
        losses = [] if lost is None else [f"{loss:.3f}" for loss in (lost, *item.losses_db)]
        shares = ["refused" if share is None else f"{100 * share:.0f} %" for share in item.shares]
        cells = [item.name, f"{item.fp16_db:.1f}", *shares, *(losses or ["-"] * (1 + len(sets)))]
        cells += ["-" if item.left_out is None else str(item.left_out), f"{item.cpu_s:.0f}"]
        lines.append("| " + " | ".join(cells) + " |")
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
        "--max-loss-db", type=float, default=BOUND_DB, help="of convert.precision; default: 0.15"
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
    kept = sum(max(item.losses_db, default=1.0) <= BOUND_DB for item in found)
    most = [sum((item.shares[place] or 0) >= SHARE for item in found) for place in (0, 1)]
    note = (
        f"{device_state().utc}, {device_facts().name}, ONNX Runtime, "
        f"`--max-loss-db {args.max_loss_db:g}`, edge-sr's own frames. In int8 is a share of the "
        "multiply-adds; losses of the CPU's file are PSNR-Y against fp32. Within "
        f"{BOUND_DB:g} dB on every set: {kept} of {len(rivals)}; "
        f"{SHARE:.0%} in int8 or more: {most[0]} of {len(rivals)} "
        f"on the CPU, {most[1]} with TensorRT."
    )
    table = render(found, [item.name for item in sets], note)
    show_or_replace(table, args.write, "external-models")
    return 0 if len(found) == len(rivals) else 1


if __name__ == "__main__":
    sys.exit(main())
