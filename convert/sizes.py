"""Frame sizes on the command line."""

from __future__ import annotations

import argparse

from edge_sr.cli.options import frame_size

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


def words(size: Size) -> str:
    """(720, 1280) -> "1280x720"."""
    return f"{size[1]}x{size[0]}"
