"""The ``edge-sr`` command: its parser, and what every command ends with."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import threading
from collections.abc import Sequence
from typing import Any, NoReturn

from edge_sr import __version__
from edge_sr.cli.common import exit_codes, make_parser
from edge_sr.cli.completion import add_completion
from edge_sr.cli.doctor import add_doctor
from edge_sr.cli.doors import add_doors
from edge_sr.cli.models import add_info, add_models
from edge_sr.cli.run import add_demo, add_run
from edge_sr.cli.service import add_service
from edge_sr.errors import EdgeSRError, UsageError
from edge_sr.extras import version_of
from edge_sr.pipeline.signals import remember_interrupt

EXAMPLES = """\
examples:
  edge-sr run film.mp4
  edge-sr run 0
  edge-sr doctor
"""
# what runs networks, and the distributions that bring it
BACKENDS = (
    ("ONNX Runtime", ("onnxruntime", "onnxruntime-gpu")),
    ("OpenVINO", ("openvino",)),
    ("TensorRT", ("tensorrt", "tensorrt-cu12", "tensorrt-cu13")),
    ("TensorRT-RTX", ("tensorrt-rtx-cu12", "tensorrt-rtx")),
    ("TensorRT lean", ("tensorrt-lean", "tensorrt-lean-cu12")),
)


def build_parser() -> argparse.ArgumentParser:
    """The command line, without running anything."""
    parser = make_parser(
        "edge-sr",
        "Live video super-resolution on NVIDIA GPUs and any CPU.",
        examples=EXAMPLES,
    )
    parser.add_argument(
        "--version", action=_Version, help="show the version and the backends that are installed"
    )
    commands = parser.add_subparsers(metavar="command", required=True)
    add_run(commands)
    add_demo(commands)
    add_models(commands)
    add_info(commands)
    add_doctor(commands)
    add_doors(commands)
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
        except MemoryError as error:
            raise EdgeSRError(
                "out of memory; close other programs, or give a smaller --tile"
            ) from error


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


class _Version(argparse.Action):
    """Print the version, and a line for the backends that are installed; exit."""

    def __init__(self, option_strings: Sequence[str], dest: str, **options: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, default=argparse.SUPPRESS, **options)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """Print and exit with 0."""
        installed = [(name, version_of(*names)) for name, names in BACKENDS]
        found = [f"{name} {version}" for name, version in installed if version]
        print(f"edge-sr {__version__}")
        print(f"backends: {', '.join(found) or 'none; see edge-sr doctor'}")
        parser.exit()


if __name__ == "__main__":
    run_process()
