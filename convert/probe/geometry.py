"""How the size of a network's result follows from the size of its input: found by running it.

A network may need sides that are multiples of a number, may lose pixels at the border (no padding
inside), or may give more than it should. All of that is repaired by padding the frame and cutting
the result; what cannot be repaired is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

import numpy as np

from edge_sr.errors import EdgeSRError, ModelFileError
from edge_sr.model.sidecar import LARGEST_SCALE

# float32 (1, H, W, C) of 0..1 -> float32 (1, H', W', C); raises EdgeSRError where it fails
Run = Callable[[np.ndarray], np.ndarray]
MULTIPLES = (1, 2, 4, 8, 16, 32, 64, 3, 6, 12, 24, 48, 5, 7, 14, 28)
SMALLEST = 32  # pixels of a side that is tried, at least
Pair = tuple[int, int]
HALF = Fraction(1, 2)


@dataclass(frozen=True)
class Geometry:
    """How to give a network a frame and what to cut from its result. All are (rows, columns)."""

    scale: Fraction  # result / frame, both sides
    multiple: int = 1  # the network takes sides that are multiples of this
    size: Pair | None = None  # the one frame size, if the network takes only one
    margin: Pair = (0, 0)  # replicated before the frame, and at least as many behind it
    crop: Pair = (0, 0)  # of the result, what lies before the frame's own

    @property
    def plain(self) -> bool:
        """Whether frames go in and come out as they are."""
        return self.multiple == 1 and self.margin == (0, 0) and self.crop == (0, 0)

    def padding(self, rows: int, columns: int) -> list[Pair]:
        """(before, after) of rows and of columns, for a frame of this size."""
        pads = []
        for side, before in zip((rows, columns), self.margin, strict=True):
            pads.append((before, before + -(side + 2 * before) % self.multiple))
        return pads

    def describe(self) -> str:
        """One phrase for the user."""
        words = [f"x{float(self.scale):g}"]
        if self.size:
            words.append(f"{self.size[1]}x{self.size[0]} only")
        if self.multiple > 1:
            words.append(f"padded to multiples of {self.multiple}")
        if self.margin != (0, 0):
            words.append(f"padded by {max(self.margin)} at the border")
        if self.crop != (0, 0):
            words.append(f"{max(self.crop)} cut off the result's border")
        return ", ".join(words)


def find_geometry(
    run: Run,
    name: str,
    *,
    channels: int,
    fixed: Pair | None,
    scale: Fraction | None = None,
    share: Fraction = HALF,
) -> Geometry:
    """The size rule of a network.

    Args:
        name: of the network, for messages.
        fixed: (rows, columns) of its input if it takes only one size.
        scale: what the user says it is; None to find it.
        share: of the pixels that the result has too few or too many, how many are at its start.

    Raises:
        ModelFileError: the result has other channels, is no image, or its size follows no rule
            that padding and cutting can repair.
    """
    if fixed is not None:
        return _of_one_size(name, fixed, _sides(run, name, fixed, channels), scale, share)
    reason = ""
    for multiple in MULTIPLES:
        sizes = _sizes(multiple)
        try:
            found = [_sides(run, name, size, channels) for size in sizes]
            geometry = _from_sizes(name, multiple, sizes, found, share)
        except _UnevenError as error:
            reason = reason or str(error)
            continue
        except ModelFileError:
            raise
        except EdgeSRError as error:
            reason = reason or f"it fails at {sizes[0][1]}x{sizes[0][0]}: {error}"
            continue
        if scale is not None and geometry.scale != scale:
            raise ModelFileError(
                f"{name}: its scale is {geometry.scale}, not {scale}: leave --scale out"
            )
        return geometry
    raise ModelFileError(
        f"{name}: no frame size was found that it scales evenly (tried multiples of "
        f"{', '.join(map(str, sorted(MULTIPLES)))}; {reason})"
    )


class _UnevenError(EdgeSRError):
    """At this multiple the result's size follows no rule; another may."""


def _sizes(multiple: int) -> list[Pair]:
    """Three (rows, columns) of different numbers of multiples, odd ones and an even one.

    Odd ones alone would fit a rule of twice the multiple, less what is cut.
    """
    first = max(1, ceil(SMALLEST / multiple)) | 1
    a, b, c = (multiple * (first + step) for step in (0, 1, 6))
    return [(a, b), (b, c), (c, a)]


def _sides(run: Run, name: str, size: Pair, channels: int) -> Pair:
    y, x = np.mgrid[0 : size[0], 0 : size[1]]
    frame = np.repeat((0.5 + 0.3 * np.sin(x / 9) * np.cos(y / 7))[None, ..., None], channels, 3)
    found = run(frame.astype(np.float32)).shape
    if len(found) != 4 or found[3] != channels or found[0] != 1:
        raise ModelFileError(
            f"{name}: output shape is {found} for an input of {frame.shape}; expected "
            f"(N, H, W, {channels})"
        )
    return int(found[1]), int(found[2])


def _from_sizes(
    name: str, multiple: int, sizes: list[Pair], found: list[Pair], share: Fraction
) -> Geometry:
    rules = []
    for axis in range(2):
        taken, given = ([pair[axis] for pair in some] for some in (sizes, found))
        slope = Fraction(given[1] - given[0], taken[1] - taken[0])
        extra = given[0] - slope * taken[0]
        if given[2] != slope * taken[2] + extra or slope <= 0 or extra.denominator != 1:
            raise _UnevenError(f"sides of {taken} become {given}, which is no constant scale")
        rules.append((slope, int(extra)))
    (rows, more_rows), (columns, more_columns) = rules
    if rows != columns:
        raise ModelFileError(
            f"{name}: rows are scaled by {rows} and columns by {columns}; expected one scale for "
            "both"
        )
    return _repair(name, rows, multiple, None, (more_rows, more_columns), share)


def _repair(
    name: str, scale: Fraction, multiple: int, fixed: Pair | None, more: Pair, share: Fraction
) -> Geometry:
    """Pad where the result is ``-more`` pixels too small, cut where it is too large."""
    if not 1 <= scale <= LARGEST_SCALE:
        raise ModelFileError(
            f"{name}: its result is {float(scale):g} times its input; expected 1 to {LARGEST_SCALE}"
        )
    margin, crop = [], []
    for extra in more:
        before = max(0, ceil(-extra * max(share, 1 - share) / scale))
        while (before * scale).denominator != 1:
            before += 1
        start = before * scale + extra * share
        margin.append(before)
        crop.append(int(start))
    size = fixed and (fixed[0] - 2 * margin[0], fixed[1] - 2 * margin[1])
    if size and min(size) < 4:
        raise ModelFileError(f"{name}: takes {fixed}, of which its border leaves nothing")
    return Geometry(scale, multiple, size, (margin[0], margin[1]), (crop[0], crop[1]))


def _of_one_size(
    name: str, fixed: Pair, found: Pair, scale: Fraction | None, share: Fraction
) -> Geometry:
    ratios = [Fraction(b, a) for a, b in zip(fixed, found, strict=True)]
    if ratios[0] == ratios[1] and ratios[0].denominator <= 4 and scale in (None, ratios[0]):
        return _repair(name, ratios[0], 1, fixed, (0, 0), share)
    for tried in [scale] if scale else [Fraction(n) for n in (1, 2, 3, 4, 8)]:
        more = [int(b - tried * a) for a, b in zip(fixed, found, strict=True)]
        if more[0] == more[1] and abs(more[0]) <= 16 * tried:
            return _repair(name, tried, 1, fixed, (more[0], more[1]), share)
    raise ModelFileError(
        f"{name}: {fixed[1]}x{fixed[0]} becomes {found[1]}x{found[0]}; expected one scale for rows "
        "and columns"
    )
