"""How large the result is to be: ``--scale`` and ``--target`` in numbers."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from fractions import Fraction

from edge_sr.errors import UsageError
from edge_sr.files import parse_ratio
from edge_sr.types import Size

NAMED = {"4k": 2160, "2k": 1440, "hd": 720, "fullhd": 1080}
LARGEST = 16384  # pixels a side


@dataclass(frozen=True)
class Target:
    """A wanted size: ``short`` alone (as "1080p", the shorter side) or both sides in pixels."""

    short: int | None = None
    width: int | None = None
    height: int | None = None

    def size_for(self, size: Size) -> Size:
        """The target in pixels, for a picture of `size`; it may be smaller than that."""
        if self.width and self.height:
            return Size(self.width, self.height)
        ratio = Fraction(self.short or 0, min(size))
        return Size(_even(size.width * ratio), _even(size.height * ratio))


def parse_target(text: str) -> Target:
    """ "1080p", "4k" or "1920x1080" -> Target.

    Raises:
        argparse.ArgumentTypeError: something else.
    """
    word = text.lower()
    if word in NAMED:
        return Target(short=NAMED[word])
    if word.endswith("p") and word[:-1].isdigit() and 16 <= int(word[:-1]) <= LARGEST:
        return Target(short=int(word[:-1]))
    columns, separator, rows = word.partition("x")
    if separator and columns.isdigit() and rows.isdigit():
        width, height = int(columns), int(rows)
        if 16 <= width <= LARGEST and 16 <= height <= LARGEST:
            return Target(width=width, height=height)
    raise argparse.ArgumentTypeError(f"{text!r}; expected 1080p, 1440p, 4k or WIDTHxHEIGHT")


def parse_scale(text: str) -> Fraction:
    """ "2", "1.5" or "3/2" -> Fraction, above 1 and up to 4.

    Raises:
        argparse.ArgumentTypeError: something else.
    """
    try:
        scale = parse_ratio(text).limit_denominator(1000)
    except ValueError:
        scale = Fraction(0)
    if not 1 < scale <= 4:
        raise argparse.ArgumentTypeError(f"{text!r}; expected a number above 1 and up to 4")
    return scale


def output_size(
    width: int, height: int, *, scale: Fraction | None, target: Target | None
) -> tuple[int, int] | None:
    """(columns, rows) asked for, even where the target leaves a choice; None if nothing was.

    Raises:
        UsageError: the target is not larger than the input, which leaves nothing to upscale.
    """
    if scale is not None:
        return int(width * scale), int(height * scale)
    if target is None:
        return None
    size = target.size_for(Size(width, height))
    if size[0] < width or size[1] < height or size == (width, height):
        raise UsageError(
            f"the target {size[0]}x{size[1]} is not larger than the input {width}x{height}; "
            "edge-sr only upscales"
        )
    return size


def _even(side: Fraction) -> int:
    return 2 * round(side / 2)
