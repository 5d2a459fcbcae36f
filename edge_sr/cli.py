"""The `edge-sr` command."""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict

from . import __version__
from .backend import BACKENDS
from .errors import EdgeSRError, MissingDependencyError, UsageError
from .precision import CHOICES
from .target import parse_scale, parse_target
from .tiles import parse_tile

RUN_EXAMPLES = """\
examples:
  edge-sr run --input film.mp4 --output film-1440p.mp4
  edge-sr run --input film.mp4 --output film-1080p.mkv --target 1080p --model edge-unet-s
  edge-sr run --input photos/ --output bigger/
  edge-sr run --camera 0 --show
"""
INFO_EXAMPLES = """\
examples:
  edge-sr info edge-unet-s-x2
  edge-sr info mine.onnx --json
"""
BENCH_EXAMPLES = """\
examples:
  edge-sr bench run --models edge-unet-s-x2 --output rows.jsonl
  edge-sr bench report rows.jsonl --output report
"""
MODELS_EXAMPLES = """\
examples:
  edge-sr models
  edge-sr models --json
"""


def run(args: argparse.Namespace) -> int:
    """Upscale a video, a camera, an image or a folder of images."""
    from .run import Job, run_job

    if args.scale is not None and args.target is not None:
        raise UsageError("--scale and --target were both given; one of them decides the size")
    return run_job(
        Job(
            input=args.input,
            camera=args.camera,
            output=args.output,
            show=args.show,
            model=args.model,
            scale=args.scale,
            target=args.target,
            precision=args.precision,
            backend=args.backend,
            threads=args.threads,
            tile=args.tile,
            max_frames=args.max_frames,
            camera_size=args.camera_size,
            camera_fps=args.camera_fps,
            crf=args.crf,
            preset=args.preset,
            force=args.force,
        )
    )


def models(args: argparse.Namespace) -> int:
    """List the models that ship with edge-sr."""
    from . import zoo

    known = [zoo.find(name)[1] for name in sorted([*zoo.names(), *zoo.names("int8")])]
    if args.json:
        print(json.dumps([asdict(sidecar) for sidecar in known], indent=2))
        return 0
    print(f"{'name':<24} {'scale':>5} {'colour':>6} {'precision':>9} {'parameters':>10}  PSNR-Y")
    for item in known:
        quality = ", ".join(_psnr_figures(item.quality))
        scale = f"x{float(item.ratio):g}"
        print(
            f"{item.name:<24} {scale:>5} {item.color:>6} {item.precision:>9} "
            f"{item.parameters:>10,}  {quality or 'not measured'}"
        )
    return 0


def bench(args: argparse.Namespace) -> int:
    """Hand over to `python -m bench`, in a process of its own."""
    if importlib.util.find_spec("bench") is None:
        raise MissingDependencyError(
            "the bench package is not installed: pip install 'edge-sr[bench]'"
        )
    return subprocess.run([sys.executable, "-m", "bench", *args.words], check=False).returncode


def _psnr_figures(quality: dict[str, float]) -> list[str]:
    """ "Set5 37.21 dB" for each set that PSNR-Y was measured on."""
    end, other = "_psnr_y_db", "_bicubic_psnr_y_db"
    return [
        f"{key.removesuffix(end)} {value:.2f} dB"
        for key, value in quality.items()
        if key.endswith(end) and not key.endswith(other)
    ]


def info(args: argparse.Namespace) -> int:
    """Check that a model and its sidecar belong together, and show what they say."""
    from . import zoo

    path, sidecar = zoo.find(args.model)
    facts = {"file": str(path)} | asdict(sidecar)
    if args.json:
        print(json.dumps(facts, indent=2))
        return 0
    for name, value in facts.items():
        if isinstance(value, dict):
            value = ", ".join(f"{key} {item}" for key, item in value.items())
        print(f"{name:<20} {'-' if value in (None, '') else value}")
    return 0


def _size(text: str) -> tuple[int, int]:
    """ "1280x720" -> (1280, 720)."""
    columns, separator, rows = text.lower().partition("x")
    if not (separator and columns.isdigit() and rows.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r}; expected WIDTHxHEIGHT, as 1280x720")
    return int(columns), int(rows)


def _at_least_one(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}; expected a whole number of 1 or more")
    return int(text)


def _tile(text: str) -> int | None:
    try:
        return parse_tile(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _crf(text: str) -> int:
    if not text.isdigit() or int(text) > 51:
        raise argparse.ArgumentTypeError(f"{text!r}; expected 0 (lossless) to 51")
    return int(text)


def build_parser() -> argparse.ArgumentParser:
    """The command line, without running anything."""
    parser = argparse.ArgumentParser(
        prog="edge-sr", description="Live video super-resolution on NVIDIA GPUs and any CPU."
    )
    parser.add_argument("--version", action="version", version=f"edge-sr {__version__}")
    commands = parser.add_subparsers(metavar="command", required=True)
    raw = argparse.RawDescriptionHelpFormatter

    command = commands.add_parser(
        "run",
        help="upscale a video, a camera, an image or a folder of images",
        description="Upscale a video, a camera, an image or a folder of images.",
        epilog=RUN_EXAMPLES,
        formatter_class=raw,
    )
    source = command.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--input", metavar="PATH", help="video, image, folder of images, or test://1280x720@30"
    )
    source.add_argument("--camera", metavar="ID", help="camera number or device, as /dev/video0")
    command.add_argument(
        "--output", metavar="PATH", help="what to write; 'null' upscales and writes nothing"
    )
    command.add_argument("--show", action="store_true", help="show the result in a window")
    command.add_argument(
        "--model",
        default="edge-unet-s",
        help="shipped model or family, or an .onnx file (default: edge-unet-s)",
    )
    command.add_argument(
        "--scale", type=parse_scale, metavar="N", help="output side / input side (default: 2)"
    )
    command.add_argument(
        "--target", type=parse_target, metavar="SIZE", help="1080p, 1440p, 4k or WIDTHxHEIGHT"
    )
    command.add_argument("--max-frames", type=_at_least_one, metavar="N", help="stop after N")
    command.add_argument(
        "--precision",
        choices=CHOICES,
        default="fp32",
        help="of a shipped model: fp32 (default), int8, or auto for the faster one here",
    )
    command.add_argument("--backend", choices=BACKENDS, default="auto")
    command.add_argument("--threads", type=_at_least_one, metavar="N", help="default: all cores")
    command.add_argument(
        "--tile",
        type=_tile,
        metavar="auto|off|N",
        help="cut frames into tiles of N pixels to save memory (default: above 4 megapixels)",
    )
    command.add_argument(
        "--camera-size", type=_size, default=(1280, 720), metavar="WxH", help="default: 1280x720"
    )
    command.add_argument("--camera-fps", type=_at_least_one, default=30, metavar="N")
    command.add_argument(
        "--crf", type=_crf, default=18, metavar="0-51", help="H.264 quality, lower is better (18)"
    )
    command.add_argument("--preset", default="veryfast", help="x264 preset (default: veryfast)")
    command.add_argument("--force", action="store_true", help="replace an existing output")
    command.set_defaults(command=run)

    command = commands.add_parser(
        "models",
        help="list the models that ship with edge-sr",
        description="List the models that ship with edge-sr.",
        epilog=MODELS_EXAMPLES,
        formatter_class=raw,
    )
    command.add_argument("--json", action="store_true", help="print one JSON array")
    command.set_defaults(command=models)

    command = commands.add_parser(
        "info",
        help="show what a model file is, and check it",
        description="Check that a model and its .json belong together, and show what they say.",
        epilog=INFO_EXAMPLES,
        formatter_class=raw,
    )
    command.add_argument("model", help="a shipped model's name or an .onnx file")
    command.add_argument("--json", action="store_true", help="print one JSON object")
    command.set_defaults(command=info)

    command = commands.add_parser(
        "bench",
        help="measure models on this device and report; as python -m bench",
        description="Measure models on this device and report; the same as python -m bench.",
        epilog=BENCH_EXAMPLES,
        formatter_class=raw,
    )
    command.add_argument("words", nargs=argparse.REMAINDER, help="run, report or roofline, ...")
    command.set_defaults(command=bench)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. 0: it worked; 1: it failed; 2: wrong usage; 130, 143: it was interrupted."""
    args = build_parser().parse_args(argv)
    try:
        return int(args.command(args))
    except UsageError as error:
        print(f"edge-sr: {error}", file=sys.stderr)
        return 2
    except EdgeSRError as error:
        print(f"edge-sr: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
