"""Values on the command line."""

from __future__ import annotations

import argparse
from pathlib import Path

from edge_sr.backend.onnxruntime.backend import usable_cores
from edge_sr.cli.options import at_least_one
from lab.target_list import FILE


def positive(text: str) -> float:
    """A number above 0; argparse.ArgumentTypeError is raised for other text."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r}; expected a number above 0")
    return value


def add_target_options(parser: argparse.ArgumentParser) -> None:
    """What commands need that measure the shipped networks beside their rivals."""
    parser.add_argument("--images", type=Path, nargs="+", required=True, help="Set5 Set14 BSD100")
    parser.add_argument("--rivals", type=Path, required=True, metavar="FILE.toml")
    parser.add_argument("--targets", type=Path, default=FILE, metavar="FILE.toml")
    parser.add_argument("--threads", type=at_least_one, default=min(2, usable_cores()))
    parser.add_argument("--write", type=Path, metavar="FILE.md", help="into its marks, not stdout")
