"""A look at every n-th result: fp16 engines have been seen to go black without a word."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

EVERY = 30  # frames between two looks
STEP = 8  # rows and columns between two pixels that are looked at
BLACK = 16  # luma and RGB up to here are black

Pixels = NDArray[Any]


class OutputGuard:
    """Counts results that cannot be right for the frame they were made of.

    A constant or black result counts only where its frame was neither: films fade to black.
    """

    def __init__(self, *, every: int = EVERY) -> None:
        """Begin to count.

        Args:
            every: look at one result in so many, from the first on; 0 for none.
        """
        self.every = every
        self.frames = self.looked = self.black = self.constant = self.non_finite = 0
        self._due = 0 if every else -1

    def note(self, frame: Pixels, result: Pixels) -> None:
        """Take one frame (1, H, W, C) and what came of it."""
        self.frames += 1
        if self._due:
            self._due -= self._due > 0
            return
        self._due = self.every - 1
        self.looked += 1
        small = result[:, ::STEP, ::STEP]
        low, high = small.min(), small.max()
        if result.dtype.kind == "f" and not (np.isfinite(low) and np.isfinite(high)):
            self.non_finite += 1
        elif low == high or high <= BLACK:
            before = frame[:, ::STEP, ::STEP]
            first, last = before.min(), before.max()
            self.black += bool(high <= BLACK < last)
            self.constant += bool(low == high and first != last and not high <= BLACK)

    @property
    def notices(self) -> list[str]:
        """A line for the user; nothing where all was well."""
        counts = {"black": self.black, "constant": self.constant, "not finite": self.non_finite}
        found = [f"{count} {name}" for name, count in counts.items() if count]
        if not found:
            return []
        return [
            f"{' and '.join(found)} of {self.looked} results that were looked at, of frames that "
            "were not: the engine is wrong; compare it with python -m bench device-check, or use "
            "fp32"
        ]
