"""What networks of other shapes would cost and give: the table behind the shipped sizes.

``python -m lab.search --rivals bench/peers.toml``; with ``--data`` each is trained for a while.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.measure.device import device_facts, device_state
from bench.measure.lane import Plan
from bench.measure.latency import measure_latency
from bench.measure.speed import frame_of
from bench.measure.timing import pinned
from bench.models.adapters import read_rivals
from bench.models.contenders import count_contender, find_contenders
from bench.models.roofline import bound, read_devices
from bench.quality.images import ImageSet, default_files, list_images, read_set
from bench.records import Times
from edge_sr.backend.cpu import usable_cores
from edge_sr.cli.common import exit_codes, make_parser
from edge_sr.cli.options import at_least_one, frame_size
from edge_sr.errors import MediaError
from lab.tables.candidates import make, make_int8, read_candidates, steps_of
from lab.tables.search_text import Line, draw, render
from lab.tables.section import show_or_replace
from lab.tables.target_measures import measure_quality

RIVALS = ("ETDS-T", "ETDS-S", "ETDS-L")
EDGE = "orin-nano-super"
FILE = Path(__file__).with_name("search.toml")
EXAMPLES = """\
examples:
  python -m lab.search --rivals bench/peers.toml
  python -m lab.search --rivals bench/peers.toml --data photos/ --steps 5000 --images Set5 \\
    --write lab/models.md --plot lab/search.png
"""


def search(args: argparse.Namespace, folder: Path) -> list[Line]:
    """Make, count and time all networks, the rivals beside them.

    Raises:
        EdgeSRError: a network cannot be made or run.
    """
    candidates = read_candidates(args.networks)
    paths = make(candidates, args.output, steps=args.steps, data=args.data or [])
    small = make_int8(paths) if args.int8 else []
    rivals = [item for item in read_rivals(args.rivals) if item.name in RIVALS]
    files = [str(path) for path in (*paths, *small)]
    everyone = find_contenders(files, rivals, backends=["auto"], precisions=[], folder=folder)
    device = read_devices()[EDGE]
    plan = Plan(rounds=args.rounds, runs=2 * args.rounds, seconds=600, least_seconds=1, frames=1)
    picture = _pictures(args.images)
    with pinned(args.threads):
        times = measure_latency(
            everyone,
            frame_of(picture, *args.size),
            threads=args.threads,
            plan=plan,
            keep_open=True,
            on_turn=lambda name: print(f"bench: timed {name}", file=sys.stderr),
        )
    took: dict[str, float] = {}
    for index, item in enumerate(everyone):
        result = times[index]
        if not isinstance(result, Times):
            raise MediaError(f"{item.name}: was not timed ({result})")
        took[item.name] = result.cpu_p50_ms
    lines = []
    for item in everyone:
        counts = count_contender(item, *args.size)
        if item.sidecar.precision == "int8" or counts is None:
            continue
        steps = steps_of(Path(str(item.path))) if item.kind == "model" else None
        judged = args.images and steps != 0
        lines.append(
            Line(
                name=item.name,
                rival=item.kind == "rival",
                parameters=counts.parameters,
                macs=counts.macs,
                activation_bytes=counts.activation_bytes,
                ms=took[item.name],
                int8_ms=took.get(f"{item.name}.int8"),
                edge_ms=bound(counts, device, "fp16").total_ms,
                steps=steps,
                psnr_db=measure_quality(item, [picture], args.threads)[0].luma if judged else None,
            )
        )
    return lines


def _pictures(folder: Path | None) -> ImageSet:
    if folder is None:
        return read_set("scikit-image", default_files())
    return read_set(folder.resolve().name, list_images(folder))


def build_parser() -> argparse.ArgumentParser:
    """The command line, without running anything."""
    parser = make_parser(
        "python -m lab.search",
        "Compare shapes of edge-unet: cost on this CPU, estimate for a Jetson, PSNR.",
        examples=EXAMPLES,
    )
    parser.add_argument("--networks", type=Path, default=FILE, metavar="FILE.toml")
    parser.add_argument("--rivals", type=Path, required=True, metavar="FILE.toml")
    parser.add_argument("--data", type=Path, nargs="+", help="train each on these photographs")
    parser.add_argument("--steps", type=at_least_one, default=5000, help="each (default: 5000)")
    parser.add_argument("--images", type=Path, metavar="DIR", help="PSNR-Y of trained ones on it")
    parser.add_argument("--int8", action="store_true", help="time int8 files too (minutes each)")
    parser.add_argument("--output", type=Path, default=Path("runs/search"), metavar="DIR")
    parser.add_argument("--size", type=frame_size, default=(1280, 720), metavar="WxH")
    parser.add_argument("--rounds", type=at_least_one, default=10, help="in turns (default: 10)")
    parser.add_argument("--threads", type=at_least_one, default=min(2, usable_cores()))
    parser.add_argument("--write", type=Path, metavar="FILE.md", help="into its marks, not stdout")
    parser.add_argument("--plot", type=Path, metavar="FILE.png")
    return parser


@exit_codes("bench")
def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 when the table was made."""
    args = build_parser().parse_args(argv)
    before = device_state()
    load = before.load
    with tempfile.TemporaryDirectory(prefix="edge-sr-bench-") as folder:
        lines = search(args, Path(folder))
    note = (
        f"{before.utc}, {device_facts().name}, {args.threads} of them used, "
        f"{args.size[0]}x{args.size[1]} in, {args.rounds} rounds in turns, load average "
        f"{load} before and {device_state().load} after"
    )
    text = render(lines, note, args.images.name if args.images else None)
    if args.plot:
        draw(lines, args.plot)
    show_or_replace(text, args.write, "search")
    return 0


if __name__ == "__main__":
    sys.exit(main())
