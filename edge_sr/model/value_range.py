"""What black and white are to a network: the one parser of ``--range`` and its relatives."""

from __future__ import annotations

import argparse
import re
from typing import NamedTuple

from edge_sr.errors import UsageError


class ValueRange(NamedTuple):
    """A linear map: the network's value for a grey level g is ``g / 255 * levels + offset``."""

    levels: float  # white minus black
    offset: float  # black


RANGES = {
    "0..255": ValueRange(255.0, 0.0),
    "0..1": ValueRange(1.0, 0.0),
    "-1..1": ValueRange(2.0, -1.0),
}
AUTO = "auto"  # found by running the network


def value_range(text: str) -> str:
    """Check a range given on the command line; returns it.

    Raises:
        argparse.ArgumentTypeError: it is none of RANGES and not "auto".
    """
    if text not in (*RANGES, AUTO):
        raise argparse.ArgumentTypeError(f"{text!r}; expected {', '.join(RANGES)} or {AUTO}")
    return text


def check_range(text: str) -> str:
    """`value_range` for callers in Python.

    Raises:
        UsageError: it is none of RANGES and not "auto".
    """
    try:
        return value_range(text)
    except argparse.ArgumentTypeError as error:
        raise UsageError(f"range is {error}") from error


def add_range_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--range``, ``--input-range`` and ``--output-range``; "auto" is the default.

    ``--range -1..1`` works as two words: argparse takes it for a value, not for an option.
    `ranges_of` reads the result.
    """
    parser._negative_number_matcher = re.compile(r"^-\d")
    group = parser.add_argument_group("values of the network")
    kinds = ", ".join(RANGES)
    group.add_argument(
        "--range",
        type=value_range,
        metavar="LOW..HIGH",
        help=f"black and white of a float network: {kinds} (default: found by running it)",
    )
    group.add_argument(
        "--input-range", type=value_range, metavar="LOW..HIGH", help="--range of its input alone"
    )
    group.add_argument(
        "--output-range", type=value_range, metavar="LOW..HIGH", help="--range of its output alone"
    )


def ranges_of(args: argparse.Namespace) -> tuple[str, str]:
    """(input range, output range) of a parsed command line; keys of RANGES or "auto"."""
    both = args.range or AUTO
    return args.input_range or both, args.output_range or both
