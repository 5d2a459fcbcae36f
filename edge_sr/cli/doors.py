"""Programs of the workshop as commands: ``edge-sr export``, ``bench``, ``fleet`` and others.

Each hands its arguments to ``python -m ...`` in a child process, and returns its exit code.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edge_sr.children import has_module, run_module
from edge_sr.cli.common import Parser
from edge_sr.errors import MissingDependencyError
from edge_sr.extras import extra_of, install_command, missing


@dataclass(frozen=True)
class Door:
    """One command, and the program that does its work."""

    name: str
    program: str  # module, as "convert.export_onnx"
    summary: str  # in the list of commands
    description: str
    examples: tuple[str, ...]  # arguments
    others: tuple[tuple[str, str], ...] = ()  # first argument -> another program


DOORS = (
    Door(
        "export",
        "convert.export_onnx",
        "make an .onnx file of a .keras file",
        "Make an .onnx file of a .keras file; the same as python -m convert.export_onnx.",
        (
            "--model edge-unet-s-x2.keras --output edge-unet-s-x2.onnx",
            "--model mine.keras --range 0..1 --size 1280x720 --output mine.onnx",
        ),
    ),
    Door(
        "import",
        "convert.import_onnx",
        "make a model file of any super-resolution .onnx file",
        "Make a model file of any super-resolution .onnx file; the same as python -m "
        "convert.import_onnx.",
        (
            "other.onnx -o mine.onnx",
            "gan.onnx --input-range 0..1 --output-range -1..1 -o gan-frames.onnx",
        ),
    ),
    Door(
        "build",
        "convert.build_engine",
        "build a TensorRT engine for this GPU",
        "Build a TensorRT engine for this GPU; the same as python -m convert.build_engine.",
        (
            "--model edge-unet-s-x2",
            "--model mine.onnx --precision int8 --size 1920x1080",
            "--list-cache",
        ),
    ),
    Door(
        "calibrate",
        "calibration.collect",
        "collect frames and measure ranges for int8",
        "Collect frames for int8; ranges and sensitivity measure with them. The same as python -m "
        "calibration.collect, calibration.ranges and calibration.sensitivity.",
        (
            "street.mp4 hall.mp4 --output frames/",
            "ranges --model mine.onnx --frames frames/ --output ranges.json",
            "sensitivity --model mine.onnx --frames frames/ --output layers.json",
        ),
        (
            ("collect", "calibration.collect"),
            ("ranges", "calibration.ranges"),
            ("sensitivity", "calibration.sensitivity"),
        ),
    ),
    Door(
        "train",
        "training.train",
        "train a network, or fine-tune one on your pictures",
        "Train a network, or fine-tune one on your pictures; the same as python -m training.train.",
        (
            "--from edge-unet-s-x2 --data my_photos/",
            "--recipe training/recipes/vdsr-x2.toml --data photos/ --resume",
        ),
    ),
    Door(
        "bench",
        "bench",
        "measure models on this device and report",
        "Measure models on this device and report; the same as python -m bench.",
        (
            "run --models edge-unet-s-x2 --output rows.jsonl",
            "report rows.jsonl --output report",
        ),
    ),
    Door(
        "fleet",
        "fleet",
        "plan many cameras on several boards",
        "Plan many cameras on several boards: systemd units, containers, Prometheus and Grafana. "
        "The same as python -m fleet.",
        ("plan fleet.toml", "plan fleet.toml --output plan/"),
    ),
    Door(
        "library",
        "fleet.library",
        "upscale a library of films on many machines",
        "Upscale a library of films with Ray; the same as python -m fleet.library.",
        ("films/ --output bigger/", "/mnt/films --output /mnt/bigger --ray 10.0.0.1:6379"),
    ),
    Door(
        "export-triton",
        "fleet.export_triton",
        "write a model repository for a Triton server",
        "Write a model repository for a Triton server; the same as python -m fleet.export_triton.",
        ("edge-unet-s-x2 --output repository/", "mine.onnx mine.engine --output repository/"),
    ),
)


def add_doors(commands: Any) -> None:
    """Add a command for each of `DOORS`."""
    for door in DOORS:
        examples = "\n".join(f"  edge-sr {door.name} {words}" for words in door.examples)
        command: Parser = commands.add_parser(
            door.name,
            help=door.summary,
            description=door.description,
            epilog=f"examples:\n{examples}\n",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            add_help=False,  # --help is the program's
            hands_over=True,
        )
        command.add_argument(
            "words", nargs=argparse.REMAINDER, help="arguments of the program; --help lists them"
        )
        command.set_defaults(command=run_door, door=door)


def run_door(args: argparse.Namespace) -> int:
    """Run the program of ``args.door`` with ``args.words``. Returns its exit code.

    Raises:
        MissingDependencyError: the program, or a package that it needs, is not installed.
    """
    door: Door = args.door
    words: list[str] = args.words
    program = dict(door.others).get(words[0] if words else "")
    if program is None:
        return hand_over(door.program, words)
    return hand_over(program, words[1:])


def hand_over(program: str, words: Sequence[str], *, capture_stdout: bool = False) -> int:
    """Run a program of the workshop in a child process. Returns its exit code.

    Args:
        capture_stdout: show nothing of its stdout, which this process needs for itself.

    Raises:
        MissingDependencyError: the program, or a package that it needs, is not installed.
    """
    package = program.partition(".")[0]
    if not has_module(package):
        raise MissingDependencyError(
            f"the package {package} is not installed: {install_command(extra_of(program))}"
        )
    reason = missing(program, words)
    if reason:
        raise MissingDependencyError(f"{program} cannot run: {reason}")
    done = run_module(program, words, capture_stdout=capture_stdout, capture_stderr=False)
    return done.returncode
