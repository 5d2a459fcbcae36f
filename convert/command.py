"""What the commands of this package share: size options, and a line on stderr for each step."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from edge_sr.cli.options import frame_size
from edge_sr.errors import ModelFileError
from edge_sr.model.engine_cache import locked
from edge_sr.model.sidecar import Sidecar, load_sidecar


@dataclass
class Steps:
    """Lines on stderr."""

    started: float = field(default_factory=time.monotonic)

    def line(self, name: str, text: str, seconds: float | None = None) -> None:
        """One step that is done."""
        took = "" if seconds is None else f" ({seconds:.1f} s)"
        self.note(f"{name:<12}{text}{took}")

    def note(self, text: str) -> None:
        """Words for the person at the keyboard."""
        print(text, file=sys.stderr, flush=True)

    def file(
        self,
        name: str,
        path: Path,
        make: Callable[[Path], object],
        text: Callable[[Sidecar], str],
    ) -> Sidecar:
        """A model file of the cache: reused if it is whole, else made by ``make(path)``.

        Raises:
            EdgeSRError: as ``make``, or the cache cannot be written.
        """
        if sidecar := _whole(path):
            self.line(name, f"{text(sidecar)} (reused)")
            return sidecar
        with locked(path, notify=self.note):
            started = time.monotonic()
            sidecar = _whole(path)
            if sidecar is None:
                if sys.stderr.isatty():
                    print(f"{name:<12}...", end="\r", file=sys.stderr, flush=True)
                make(path)
                sidecar = load_sidecar(path)
            self.line(name, text(sidecar), time.monotonic() - started)
        return sidecar


def _whole(path: Path) -> Sidecar | None:
    try:
        return load_sidecar(path)
    except ModelFileError:
        return None


Size = tuple[int, int]  # rows, columns


def parse_size(text: str) -> Size:
    """ "1280x720" -> (720, 1280), rows first."""
    columns, rows = frame_size(text)
    return rows, columns


def parse_sizes(text: str) -> tuple[Size, Size, Size]:
    """ "640x360,1280x720,1920x1080" -> three (rows, columns), each at least the one before.

    Raises:
        argparse.ArgumentTypeError: something else.
    """
    parts = [parse_size(part) for part in text.split(",")]
    if len(parts) != 3:
        raise argparse.ArgumentTypeError(f"{text!r}; expected three sizes: MIN,OPT,MAX")
    low, middle, high = parts
    if not all(a <= b <= c for a, b, c in zip(low, middle, high, strict=True)):
        raise argparse.ArgumentTypeError(f"{text}: expected MIN <= OPT <= MAX on both sides")
    return low, middle, high


def add_minutes(parser: argparse.ArgumentParser) -> None:
    """Add ``--minutes``, the bound of the searches for fp16 and int8."""
    parser.add_argument(
        "--minutes",
        type=minutes_text,
        default=10.0,
        metavar="N",
        help="that the search for layers to keep in float may take, about; the best plan so far "
        "is used then (default: 10)",
    )


def minutes_text(text: str) -> float:
    """Minutes above 0; argparse.ArgumentTypeError is raised for other text."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e5:
        raise argparse.ArgumentTypeError(f"{text!r}; expected minutes, as 10")
    return value


def size_text(size: Size) -> str:
    """(720, 1280) -> "1280x720"."""
    return f"{size[1]}x{size[0]}"


def describe(sidecar: Sidecar) -> str:
    """Colour, scale, precision and size of a model file, in one phrase."""
    size = f", {sidecar.width}x{sidecar.height} only" if sidecar.width else ""
    return f"{sidecar.color}, x{float(sidecar.ratio):g}, {sidecar.precision}{size}"
