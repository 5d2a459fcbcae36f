"""`python -m bench run`: from options to rows."""

from __future__ import annotations

import argparse
import logging
import shlex
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.commands.options import positive
from bench.measure.lane import Plan
from bench.measure.quality import measure_clips, measure_set
from bench.measure.speed import measure_speed
from bench.measure.state import Bench
from bench.measure.timing import pinned
from bench.models.adapters import read_rivals
from bench.models.contenders import BACKENDS, find_contenders
from bench.models.floors import FLOORS
from bench.quality.clip import Clip, at_rates, read_clip
from bench.quality.images import GREYS, ImageSet, default_files, list_images, read_set
from bench.quality.scenes import fixed_clips, moving_clip
from bench.quality.vmaf import ffmpeg_path
from bench.records import Row
from bench.rows import read_rows
from edge_sr import zoo
from edge_sr.backend.cpu import usable_cores
from edge_sr.cli.common import add_command
from edge_sr.cli.options import add_device, at_least_one, frame_size
from edge_sr.errors import MediaError, UsageError
from edge_sr.model.external import is_external, model_file
from edge_sr.model.import_options import add_import_options, import_options
from edge_sr.model.sidecar import PRECISIONS

logger = logging.getLogger(__name__)
ROWS = Path("runs/bench.jsonl")
ALL = "all"
EXAMPLES = """\
examples:
  python -m bench run
  python -m bench run --models edge-unet-s-x2 bicubic --size 1280x720 --output rows.jsonl
  python -m bench run --images Set5 Set14 BSD100 --rivals bench/peers.toml
  python -m bench run --video clip-1080p.mp4
  python -m bench run --video clip-1080p.mp4 --crf 20,26,32 --models edge-unet-s-x2 lanczos
  python -m bench run --scenes BSD100 --crf 26 --noise 4,10 --rivals bench/peers.toml

A run that was interrupted goes on where it stopped when the same command is given again.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The options of `run`."""
    command = add_command(
        commands,
        "run",
        "Measure parameters, latency, memory and quality of models on this machine.",
        summary="measure models on this machine",
        examples=EXAMPLES,
    )
    command.add_argument(
        "--models",
        nargs="+",
        metavar="MODEL",
        help=f"shipped models, .onnx files, {', '.join(FLOORS)}, or {ALL} that ship "
        "(default: the plain ones, in fp32 and int8, and all floors: other flavours take as long)",
    )
    command.add_argument("--rivals", type=Path, metavar="FILE.toml", help="other networks as well")
    add_import_options(command)
    command.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=[])
    command.add_argument(
        "--backends",
        nargs="+",
        choices=BACKENDS,
        default=["auto"],
        help="openvino-bf16: OpenVINO, in bfloat16 what is not int8 (default: auto)",
    )
    command.add_argument(
        "--size",
        nargs="+",
        type=frame_size,
        default=[(1280, 720)],
        metavar="WxH",
        help="of the input frame, for time and memory (default: 1280x720)",
    )
    command.add_argument(
        "--images",
        nargs="+",
        type=Path,
        metavar="DIR",
        help="folders of HR pictures, a set each (default: photographs of scikit-image)",
    )
    command.add_argument(
        "--grey",
        choices=GREYS,
        default=GREYS[0],
        help="grey files are their own luma (default), or RGB; then the set is named NAME-rgb",
    )
    command.add_argument(
        "--video",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="an HR clip, or an HR clip and its LR partner",
    )
    command.add_argument("--video-frames", type=at_least_one, default=30, metavar="N")
    command.add_argument(
        "--crf",
        type=_rates,
        default=[],
        metavar="N,N",
        help="code the LR frames of --video and --scenes by x264 at these rate factors; measures "
        "VMAF too",
    )
    command.add_argument(
        "--scenes",
        type=Path,
        metavar="DIR",
        help="pans over a folder of HR pictures, by whole pixels: flicker along the exact motion",
    )
    command.add_argument(
        "--noise",
        type=_levels,
        default=[],
        metavar="N,N",
        help="with --scenes, also a camera that stands still, with noise of N grey levels, without "
        "and with calm",
    )
    add_device(command)
    command.add_argument("--threads", type=at_least_one, metavar="N", help="default: all cores")
    command.add_argument("--runs", type=at_least_one, default=Plan.runs, metavar="N")
    command.add_argument(
        "--seconds",
        type=positive,
        default=Plan.seconds,
        metavar="S",
        help="timing of a model ends after --runs runs or S seconds (default: 50 runs or 7 s)",
    )
    command.add_argument("--output", type=Path, default=ROWS, metavar="FILE", help=f"({ROWS})")
    command.add_argument("--force", action="store_true", help="start over: forget the rows so far")
    command.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    """Returns 0 when everything was measured, 1 when something was left out.

    Raises:
        EdgeSRError: nothing can be measured.
    """
    if args.video and len(args.video) > 2:
        raise UsageError(
            f"--video was given {len(args.video)} files; expected an HR clip, or HR LR"
        )
    rows = [] if args.force or not args.output.exists() else read_rows(args.output)
    threads = args.threads or usable_cores()
    if threads > usable_cores():
        raise UsageError(f"--threads is {threads}; this process may use {usable_cores()} cores")
    sets = _sets(args.images, args.grey)
    clips = _clips(args)
    with tempfile.TemporaryDirectory(prefix="edge-sr-bench-") as folder:
        bench = Bench(
            contenders=find_contenders(
                _files(args),
                read_rivals(args.rivals) if args.rivals else [],
                backends=args.backends,
                precisions=args.precisions,
                folder=Path(folder),
            ),
            sizes=list(dict.fromkeys(args.size)),
            sets=sets,
            clips=clips,
            threads=threads,
            plan=Plan(
                runs=args.runs,
                seconds=args.seconds,
                least_seconds=min(Plan.least_seconds, args.seconds),
            ),
            output=args.output,
        )
        bench.put(rows)
        try:
            measure(bench)
        except KeyboardInterrupt:
            bench.save()
            kept = sum(1 for row in bench.ours() if row.measured)
            again = f"python -m bench {shlex.join(sys.argv[1:])}".strip()
            logger.warning(
                "interrupted; %d rows are kept in %s; go on with: %s", kept, args.output, again
            )
            return 130
    _print_table(bench.ours(), [item.name for item in sets])
    print(args.output)
    if bench.failures:
        logger.warning("%d things could not be measured; see above", len(bench.failures))
    return 1 if bench.failures else 0


def measure(bench: Bench) -> None:
    """Measure what is missing. Every finished part is in the file when this returns or raises.

    Raises:
        MediaError: the rows cannot be written.
        KeyboardInterrupt: finished parts are kept.
    """
    for images in bench.sets:
        for line in images.left_out:
            bench.fail(f"left out: {line}")
    with pinned(bench.threads) as cores:
        for size in bench.sizes:
            measure_speed(bench, size, cores)
        for images in bench.sets:
            measure_set(bench, images)
        for clip in bench.clips:
            measure_clips(bench, clip)
    bench.save()


def _clips(args: argparse.Namespace) -> list[Clip]:
    """The clips of --video and --scenes, at every rate and noise.

    Raises:
        UsageError: options that do not go together.
        MediaError: a clip or the pictures cannot be used.
    """
    clips: list[Clip] = []
    if args.crf and not (args.video or args.scenes):
        raise UsageError("--crf was given without --video CLIP or --scenes DIR")
    if args.noise and not args.scenes:
        raise UsageError("--noise was given without --scenes DIR")
    if args.crf and ffmpeg_path() is None:
        logger.warning("VMAF is left out: pip install imageio-ffmpeg")
    if args.video:
        low = args.video[1] if len(args.video) == 2 else None
        clips += at_rates(read_clip(args.video[0], low, args.video_frames), args.crf)
    if args.scenes:
        images = read_set(args.scenes.resolve().name, list_images(args.scenes))
        clips += at_rates(moving_clip(images), args.crf)
        clips += fixed_clips(images, args.noise)
    return clips


def _levels(text: str) -> list[float]:
    """Standard deviations in levels; argparse.ArgumentTypeError is raised for other text."""
    try:
        found = [float(part) for part in text.split(",")]
    except ValueError:
        found = [0.0]
    if not all(0 < level <= 64 for level in found):
        raise argparse.ArgumentTypeError(f"{text!r}; expected grey levels above 0, as 4,10")
    return list(dict.fromkeys(found))


def _files(args: argparse.Namespace) -> list[str]:
    """The models that were named; external ones imported, as the options say."""
    options = import_options(args)
    named: list[str] = args.models or []
    if named in ([], [ALL]):
        shipped = [*zoo.names(), *zoo.names("int8")]
        kept = [name for name in shipped if named or zoo.flavour_of(name) == "plain"]
        named = [*kept, *FLOORS]
    if options.arguments and not any(is_external(name) for name in named):
        raise UsageError(
            f"{options.arguments[0].partition('=')[0]} is for an external model among --models"
        )
    return [model_file(name, options) if is_external(name) else name for name in named]


def _rates(text: str) -> list[int]:
    """Rate factors; argparse.ArgumentTypeError is raised for other text."""
    parts = text.split(",")
    if not all(part.isdecimal() and int(part) <= 51 for part in parts):
        raise argparse.ArgumentTypeError(f"{text!r}; expected numbers of 0 to 51, as 20,26,32")
    return list(dict.fromkeys(map(int, parts)))


def _sets(folders: Sequence[Path] | None, grey: str) -> list[ImageSet]:
    suffix = "" if grey == GREYS[0] else f"-{grey}"
    if folders is None:
        return [read_set(f"scikit-image{suffix}", default_files(), grey=grey)]
    names = [folder.resolve().name for folder in folders]
    if len(set(names)) < len(names):
        raise UsageError(f"--images has two folders of one name: {', '.join(names)}")
    return [
        read_set(f"{name}{suffix}", list_images(folder), grey=grey)
        for name, folder in zip(names, folders, strict=True)
    ]


def _print_table(rows: Sequence[Row], sets: Sequence[str]) -> None:
    if not rows:
        raise MediaError("nothing was measured")
    width = max(len(row.name) for row in rows)
    heads = "".join(f"  {name[:12]:>12}" for name in sets)
    print(f"{'model':<{width}} {'size':>9} {'parameters':>10} {'p50 ms':>9} {'fps':>8}{heads}")
    for row in rows:
        p50 = f"{row.latency.p50_ms:.2f}" if row.latency else "-"
        fps = f"{row.latency.fps:.1f}" if row.latency else "-"
        scores = [row.quality[name].psnr_y_db if name in row.quality else None for name in sets]
        shown = "".join(f"  {f'{s:.2f} dB' if s is not None else '-':>12}" for s in scores)
        size = f"{row.width}x{row.height}"
        print(f"{row.name:<{width}} {size:>9} {row.parameters:>10,} {p50:>9} {fps:>8}{shown}")
