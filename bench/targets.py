"""Whether the shipped networks reach their targets: PSNR on the standard sets, time beside rivals.

``python -m bench.targets --images Set5 Set14 BSD100 --rivals bench/peers.toml``
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from edge_sr import zoo
from edge_sr.backend.onnx_runtime import usable_cores
from edge_sr.commands import exit_codes, make_parser
from edge_sr.errors import UsageError
from edge_sr.options import at_least_one, frame_size

from .adapters import read_rivals
from .contenders import Contender, find_contenders, open_contender
from .device import device_facts, device_name, device_state
from .floors import floor_sidecar
from .images import ImageSet, list_images, read_set
from .lane import Plan
from .latency import Latency, measure_latency
from .measure_speed import frame_of
from .quality import make_pair, measure
from .section import show_or_replace
from .target_list import FILE, Pace, Quality, read_targets
from .target_text import Report, render
from .timing import pinned

ROUNDS = 15
EXAMPLES = """\
examples:
  python -m bench.targets --images Set5 Set14 BSD100 --rivals bench/peers.toml
  python -m bench.targets --images Set5 Set14 BSD100 --rivals peers.toml --write docs/models.md
"""


def measure_quality(item: Contender, sets: Sequence[ImageSet], threads: int) -> list[Quality]:
    """PSNR-Y on every set, by both readings of grey files.

    Raises:
        EdgeSRError: the model cannot be opened or run.
    """
    found = []
    with open_contender(item, threads) as upscaler:
        for images in sets:
            luma, as_rgb = [], []
            for name, picture in images.pictures:
                score, _, _ = measure(upscaler, make_pair(name, picture, item.sidecar.ratio))
                luma.append(score.psnr_y_db)
                if picture.ndim == 2:
                    color = np.repeat(picture[..., None], 3, axis=2)
                    score, _, _ = measure(upscaler, make_pair(name, color, item.sidecar.ratio))
                as_rgb.append(score.psnr_y_db)
            found.append(Quality(luma=float(np.mean(luma)), as_rgb=float(np.mean(as_rgb))))
    return found


def measure_paces(
    pairs: dict[str, tuple[Contender, Contender]],
    images: ImageSet,
    at: tuple[int, int],
    threads: int,
    runs: int,
) -> dict[str, Pace]:
    """Every model beside its rival, all in turns in one run.

    Raises:
        EdgeSRError: one of them cannot be run.
    """
    everyone = [item for pair in pairs.values() for item in pair]
    plan = Plan(rounds=ROUNDS, runs=runs, seconds=600, least_seconds=1, frames=ROUNDS)
    with pinned(threads):
        times = measure_latency(
            everyone, frame_of(images, *at), threads=threads, plan=plan, keep_open=True
        )
    found = {}
    for index, name in enumerate(pairs):
        ours, theirs = times[2 * index], times[2 * index + 1]
        for result in (ours, theirs):
            if not isinstance(result, Latency):
                raise result
        if isinstance(ours, Latency) and isinstance(theirs, Latency):
            rounds = np.divide(ours.round_p50_ms, theirs.round_p50_ms)
            found[name] = Pace(
                p50_ms=ours.p50_ms,
                rival_p50_ms=theirs.p50_ms,
                runs=min(ours.runs, theirs.runs),
                ratio=ours.p50_ms / theirs.p50_ms,
                low=float(np.quantile(rounds, 0.25)),
                high=float(np.quantile(rounds, 0.75)),
                cpu_ratio=ours.cpu_p50_ms / theirs.cpu_p50_ms,
            )
    return found


def measure_fps(item: Contender, images: ImageSet, at: tuple[int, int], threads: int) -> float:
    """Frames a second of the whole path, YUV in and out."""
    with pinned(threads):
        plan = Plan(rounds=3, runs=30, seconds=30, least_seconds=1, frames=90)
        result = measure_latency(
            [item], frame_of(images, *at), threads=threads, plan=plan, keep_open=True
        )[0]
    if not isinstance(result, Latency):
        raise result
    return plan.frames / result.frames30_s


def report(args: argparse.Namespace, folder: Path) -> Report:
    """Measure everything that is asked for and there.

    Raises:
        EdgeSRError: a model, rival or picture set cannot be used.
    """
    targets = [target for target in read_targets(args.targets) if target.model in zoo.names()]
    if not targets:
        raise UsageError(f"{args.targets}: names no network that is shipped")
    sets = [read_set(path.resolve().name, list_images(path)) for path in args.images]
    wanted = {target.rival for target in targets}
    rivals = [item for item in read_rivals(args.rivals) if item.name in wanted]
    models = [target.model for target in targets]
    found = find_contenders(models, rivals, backends=["auto"], precisions=[], folder=folder)
    by_name = {item.name: item for item in found}
    missing = sorted(name for name in wanted if name and name not in by_name)
    if missing:
        raise UsageError(f"{args.rivals}: has no {', '.join(missing)}")
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
        device=device_name(device_facts()),
        state=(before, device_state()),
    )


def _floor(scale: Fraction) -> Contender:
    card = floor_sidecar("bicubic", scale)
    return Contender(kind="floor", path=None, file_bytes=0, sidecar=card, backend="auto")


def build_parser() -> argparse.ArgumentParser:
    """The command line, without running anything."""
    parser = make_parser(
        "python -m bench.targets",
        "Measure the shipped networks against their targets, in Markdown.",
        examples=EXAMPLES,
    )
    parser.add_argument("--images", type=Path, nargs="+", required=True, help="Set5 Set14 BSD100")
    parser.add_argument("--rivals", type=Path, required=True, metavar="FILE.toml")
    parser.add_argument("--targets", type=Path, default=FILE, metavar="FILE.toml")
    parser.add_argument("--size", type=frame_size, default=(1280, 720), metavar="WxH")
    parser.add_argument("--threads", type=at_least_one, default=min(2, usable_cores()))
    parser.add_argument("--runs", type=at_least_one, default=2 * ROUNDS, help="of each, in turns")
    parser.add_argument("--write", type=Path, metavar="FILE.md", help="into its marks, not stdout")
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
