"""Values on the command line."""

from __future__ import annotations

import argparse


def positive(text: str) -> float:
    """A number above 0; argparse.ArgumentTypeError is raised for other text."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r}; expected a number above 0")
    return value
