"""The `edge-sr` command."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict
from typing import NoReturn

from edge_sr import __version__
from edge_sr.cli.common import add_command, exit_codes, make_parser
from edge_sr.cli.live import add_completion, add_doctor, add_service
from edge_sr.cli.run import add_run
from edge_sr.errors import EdgeSRError, MissingDependencyError, UsageError
from edge_sr.pipeline.signals import remember_interrupt

EXAMPLES = """\
examples:
  edge-sr run --input film.mp4 --output film-1440p.mp4
  edge-sr run --camera 0 --show
  edge-sr doctor
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


def models(args: argparse.Namespace) -> int:
    """List the models that ship with edge-sr."""
    from edge_sr import zoo

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
    print("PSNR-Y on clean inputs; -live models are for compressed, noisy or soft ones")
    return 0


def bench(args: argparse.Namespace) -> int:
    """Hand over to `python -m bench`, in a process of its own.

    Raises:
        MissingDependencyError: the bench is not installed.
    """
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
    from edge_sr import zoo

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


def build_parser() -> argparse.ArgumentParser:
    """The command line, without running anything."""
    parser = make_parser(
        "edge-sr",
        "Live video super-resolution on NVIDIA GPUs and any CPU.",
        examples=EXAMPLES,
    )
    parser.add_argument("--version", action="version", version=f"edge-sr {__version__}")
    commands = parser.add_subparsers(metavar="command", required=True)

    add_run(commands)
    command = add_command(
        commands,
        "models",
        "List the models that ship with edge-sr.",
        summary="list the models that ship with edge-sr",
        examples=MODELS_EXAMPLES,
    )
    command.add_argument("--json", action="store_true", help="print one JSON array")
    command.set_defaults(command=models)

    command = add_command(
        commands,
        "info",
        "Check that a model and its .json belong together, and show what they say.",
        summary="show what a model file is, and check it",
        examples=INFO_EXAMPLES,
    )
    command.add_argument("model", help="a shipped model's name or an .onnx file")
    command.add_argument("--json", action="store_true", help="print one JSON object")
    command.set_defaults(command=info)

    command = add_command(
        commands,
        "bench",
        "Measure models on this device and report; the same as python -m bench.",
        summary="measure models on this device and report; as python -m bench",
        examples=BENCH_EXAMPLES,
    )
    command.add_argument("words", nargs=argparse.REMAINDER, help="run, report or roofline, ...")
    command.set_defaults(command=bench)
    add_doctor(commands)
    add_service(commands)
    add_completion(commands, parser)
    return parser


@exit_codes("edge-sr")
def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. 0: it worked; 1: it failed; 2: wrong usage; 130, 143: it was interrupted."""
    args = build_parser().parse_args(argv)
    with remember_interrupt() as interrupts:
        try:
            return int(args.command(args))
        except EdgeSRError as error:
            if interrupts and not isinstance(error, UsageError):
                return 130
            raise
        except MemoryError:
            print(
                "edge-sr: out of memory; close other programs, or give a smaller --tile",
                file=sys.stderr,
            )
            return 1


def run_process() -> NoReturn:
    """Run one command and end the process with its code, whatever an engine still computes.

    A frame that takes longer than a stopped pipeline waits goes on in a thread inside the engine's
    library. Taking the interpreter down around it can abort the process, so that is left out.
    """
    code = main()
    if any(
        thread.daemon and thread.name.startswith("edge-sr ") for thread in threading.enumerate()
    ):
        with contextlib.suppress(OSError):  # a closed pipe
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    run_process()
