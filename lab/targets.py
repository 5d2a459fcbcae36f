"""Whether the shipped networks reach their targets: PSNR on the standard sets, time beside rivals.

``python -m lab.targets --images Set5 Set14 BSD100 --rivals bench/peers.toml``
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from bench.measure.device import device_facts, device_state
from bench.models.adapters import choose_rivals
from bench.models.contenders import Contender, find_contenders
from bench.models.floors import floor_sidecar
from bench.quality.images import list_images, read_set
from edge_sr import zoo
from edge_sr.cli.common import exit_codes, make_parser
from edge_sr.cli.options import at_least_one, frame_size
from edge_sr.errors import UsageError
from lab.tables.section import show_or_replace
from lab.tables.target_list import add_target_options, read_targets
from lab.tables.target_measures import ROUNDS, measure_fps, measure_paces, measure_quality
from lab.tables.target_text import Report, render

EXAMPLES = """\
examples:
  python -m lab.targets --images Set5 Set14 BSD100 --rivals bench/peers.toml
  python -m lab.targets --images Set5 Set14 BSD100 --rivals peers.toml --write lab/models.md
"""


def report(args: argparse.Namespace, folder: Path) -> Report:
    """Measure everything that is asked for and there.

    Raises:
        EdgeSRError: a model, rival or picture set cannot be used.
    """
    targets = [target for target in read_targets(args.targets) if target.model in zoo.names()]
    if not targets:
        raise UsageError(f"{args.targets}: names no network that is shipped")
    sets = [read_set(path.resolve().name, list_images(path)) for path in args.images]
    rivals = choose_rivals(args.rivals, {target.rival for target in targets if target.rival})
    models = [target.model for target in targets]
    found = find_contenders(models, rivals, backends=["auto"], precisions=[], folder=folder)
    by_name = {item.name: item for item in found}
    before = device_state()
    pairs = {
        target.model: (by_name[target.model], by_name[target.rival])
        for target in targets
        if target.rival
    }
    paces = measure_paces(pairs, sets[0], args.size, args.threads, args.runs)
    fps = {
        target.model: measure_fps(
            by_name[target.model], sets[0], (target.live[0], target.live[1]), args.threads
        )
        for target in targets
        if target.live
    }
    floors = [_floor(scale) for scale in sorted({item.sidecar.ratio for item in found})]
    quality = {}
    for item in (*found, *floors):
        print(
            f"bench: {item.name} on {', '.join(path.name for path in args.images)}", file=sys.stderr
        )
        quality[item.name] = measure_quality(item, sets, args.threads)
    return Report(
        targets=targets,
        absent=[t.model for t in read_targets(args.targets) if t not in targets],
        sets=[images.name for images in sets],
        quality=quality,
        paces=paces,
        fps=fps,
        size=args.size,
        threads=args.threads,
        device=device_facts().name,
        state=(before, device_state()),
    )


def _floor(scale: Fraction) -> Contender:
    card = floor_sidecar("bicubic", scale)
    return Contender(kind="floor", path=None, file_bytes=0, sidecar=card, backend="auto")


def build_parser() -> argparse.ArgumentParser:
    """The command line, without running anything."""
    parser = make_parser(
        "python -m lab.targets",
        "Measure the shipped networks against their targets, in Markdown.",
        examples=EXAMPLES,
    )
    add_target_options(parser)
    parser.add_argument("--size", type=frame_size, default=(1280, 720), metavar="WxH")
    parser.add_argument("--runs", type=at_least_one, default=2 * ROUNDS, help="of each, in turns")
    return parser


@exit_codes("bench")
def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 when everything was measured, whether targets are reached or not; else 1."""
    args = build_parser().parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="edge-sr-bench-") as folder:
        text = render(report(args, Path(folder)))
    show_or_replace(text, args.write, "targets")
    return 0


if __name__ == "__main__":
    sys.exit(main())
