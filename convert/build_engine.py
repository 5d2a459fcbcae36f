"""One command from a Keras file, a shipped model or an ONNX file to a TensorRT engine.

``python -m convert.build_engine --model edge-unet-s-x2 --precision fp16 --size 1280x720``
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from convert.command import add_minutes, parse_size, parse_sizes
from convert.engine.cache_commands import list_cache, prune
from convert.engine.options import HARDWARE, parse_capabilities
from edge_sr.cli.common import exit_codes, make_parser
from edge_sr.cli.options import add_device
from edge_sr.errors import MissingDependencyError
from edge_sr.model.engine_facts import FLAVOURS
from edge_sr.model.import_options import add_import_options
from edge_sr.model.sidecar import PRECISIONS
from edge_sr.pipeline.target import parse_target

NEEDED = ("onnx", "onnxruntime", "tqdm")  # of the extra "build"
EXAMPLES = """\
examples:
  python -m convert.build_engine --model edge-unet-s-x2
  python -m convert.build_engine --model edge-unet-s-x2 --precision int8 --size 1366x768
  python -m convert.build_engine --model mine.keras --precision int8 --calibration clip.mp4
  python -m convert.build_engine --model edge-unet-s-x1.5 --size 640x360 --target 1280x720
  python -m convert.build_engine --model edge-unet-s-x2 --size 1280x720 --tiles
  python -m convert.build_engine --model other.onnx --size 1920x1080 --output other.engine
  python -m convert.build_engine --list-cache
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line, without running anything."""
    parser = make_parser(
        "python -m convert.build_engine",
        "Build a TensorRT engine, with all that has to come before it.",
        examples=EXAMPLES,
        verbose="--details",
    )
    parser.add_argument(
        "--model", metavar="SOURCE", help="an .onnx or .keras file, or a shipped model's name"
    )
    parser.add_argument(
        "--precision",
        metavar="|".join(PRECISIONS),
        help="default: fp16, or what an .onnx file is already",
    )
    parser.add_argument(
        "--calibration",
        metavar="FRAMES|VIDEO|own",
        help="for int8, and to try the engine on; shipped models bring theirs",
    )
    parser.add_argument(
        "--size", type=parse_size, metavar="WxH", help="of the frames (default: 1280x720)"
    )
    parser.add_argument(
        "--sizes",
        type=parse_sizes,
        metavar="MIN,OPT,MAX",
        help="take every size from MIN to MAX, fastest at OPT: 640x360,1280x720,1920x1080",
    )
    parser.add_argument(
        "--target", type=parse_target, metavar="SIZE", help="of the result: 1080p, 4k or WxH"
    )
    parser.add_argument(
        "--bits",
        type=int,
        choices=range(8, 17),
        default=8,
        metavar="8-16",
        help="of a sample of the frames: 10 for 10-bit video (default: 8)",
    )
    parser.add_argument("--flavour", choices=("auto", *FLAVOURS), default="auto")
    add_device(parser)
    parser.add_argument(
        "--tiles",
        action="store_true",
        help="also build the engine for what changes in a frame, which --still of edge-sr run uses",
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="put a copy of the engine here")
    parser.add_argument("--force", action="store_true", help="replace an existing output")
    parser.add_argument("--json", action="store_true", help="print one JSON object at the end")
    _add_builder_options(parser)
    network = parser.add_argument_group("the network")
    network.add_argument(
        "--max-loss-db", type=float, default=0.05, help="PSNR-Y that int8 may lose (default: 0.05)"
    )
    network.add_argument("--allow-loss", action="store_true", help="build it even if more is lost")
    add_minutes(parser)
    add_import_options(parser)
    cache = parser.add_argument_group("the cache")
    cache.add_argument("--list-cache", action="store_true", help="show the engines that are kept")
    cache.add_argument(
        "--prune",
        nargs="?",
        const="stale",
        choices=("stale", "all"),
        help="remove engines that are damaged or of another TensorRT, or all; and leftovers",
    )
    return parser


def _add_builder_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the builder")
    group.add_argument("--workspace", type=int, metavar="MIB", help="default: half of what is free")
    group.add_argument("--level", type=int, metavar="0-5", help="optimisation level (default: 3)")
    group.add_argument(
        "--version-compatible", action="store_true", help="run on later versions of TensorRT too"
    )
    group.add_argument(
        "--hardware-compatible",
        choices=HARDWARE,
        default="none",
        help="run on other GPUs too; slower (default: none)",
    )
    group.add_argument(
        "--compute-capability",
        type=parse_capabilities,
        default=(),
        metavar="8.6,8.9,...",
        help="GPUs that a TensorRT-RTX engine is for (default: all that it knows)",
    )
    group.add_argument("--dla", type=int, metavar="CORE", help="use a Jetson's DLA core")
    group.add_argument("--verbose", type=Path, metavar="LOG", help="the builder's words, into LOG")


@exit_codes("build_engine")
def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 when the engine is there, 1 when it is not; wrong usage exits with 2."""
    parser = build_parser()
    args = parser.parse_args(argv)
    if not (args.model or args.list_cache or args.prune):
        parser.error("nothing to build: give --model, or --list-cache or --prune")
    if args.size and args.sizes:
        parser.error("--size and --sizes were both given; an engine has one or the other")
    if args.sizes and args.target:
        parser.error("--target needs one --size; with --sizes the result keeps the model's scale")
    if args.tiles and (args.sizes or args.dla is not None):
        other = "--sizes" if args.sizes else "--dla"
        parser.error(f"--tiles and {other} were both given; tiles are for one --size, on the GPU")
    if args.prune or args.list_cache:
        print(prune(everything=args.prune == "all") if args.prune else list_cache())
        return 0
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingDependencyError(
            f"building an engine needs {', '.join(missing)}: pip install 'edge-sr[build]'"
        )
    try:
        # imported here, so that --help and the cache commands work without the extra
        importlib.import_module("convert.engine.command").build(args)
    except KeyboardInterrupt:
        print("build_engine: interrupted; nothing was kept of the engine", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # cleaning up
    sys.exit(main())
