"""Values on the command line."""

from __future__ import annotations

import argparse


def size(text: str) -> tuple[int, int]:
    """ "1280x720" -> (1280, 720): columns, rows."""
    columns, separator, rows = text.lower().partition("x")
    if not (separator and columns.isdecimal() and rows.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r}; expected WIDTHxHEIGHT, as 1280x720")
    if not all(4 <= int(side) <= 8192 for side in (columns, rows)):
        raise argparse.ArgumentTypeError(f"{text!r}; expected sides of 4 to 8192 pixels")
    return int(columns), int(rows)


def at_least_one(text: str) -> int:
    """A whole number of 1 or more."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}; expected a whole number of 1 or more")
    return int(text)


def positive(text: str) -> float:
    """A number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r}; expected a number above 0")
    return value
