"""The distribution of one tensor's magnitudes, gathered frame by frame in constant memory."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BINS = 4096
SAMPLES = 1 << 18  # values of one tensor counted per frame; minimum and maximum see them all


class Histogram:
    """Counts of |x| in equal bins from 0 to ``top``; ``top`` doubles when a value lies above."""

    def __init__(self) -> None:
        self.counts: NDArray[np.float64] = np.zeros(BINS)
        self.top = 0.0
        self.low = np.inf
        self.high = -np.inf

    @property
    def peak(self) -> float:
        """The largest magnitude seen."""
        return max(abs(self.low), abs(self.high))

    def add(self, values: NDArray[np.float32], *, weight: float = 1.0) -> bool:
        """Count a float32 tensor of one frame, or of a part that weighs ``weight`` of the whole.

        Returns False, and counts nothing, if it is not all finite.
        """
        low, high = float(values.min()), float(values.max())
        if not (np.isfinite(low) and np.isfinite(high)):
            return False
        self.low, self.high = min(self.low, low), max(self.high, high)
        self._grow(max(abs(low), abs(high)))
        if self.top > 0:
            flat = values.reshape(-1)
            step = max(1, flat.size // SAMPLES) | 1  # odd: not in step with the rows
            index = (np.abs(flat[::step]) * np.float32(BINS / self.top)).astype(np.int32)
            counts = np.bincount(np.minimum(index, BINS - 1), minlength=BINS)
            self.counts += counts * (weight / counts.sum())  # frames weigh the same
        return True

    def widen(self, values: NDArray[np.float32]) -> None:
        """Let minimum and maximum reach these float32 values, without counting them."""
        self.low = min(self.low, float(values.min()))
        self.high = max(self.high, float(values.max()))
        self._grow(self.peak)

    def _grow(self, peak: float) -> None:
        if self.top == 0:
            self.top = peak
        while peak > self.top:
            self.counts = np.concatenate(
                [self.counts.reshape(-1, 2).sum(axis=1), np.zeros(BINS // 2)]
            )
            self.top *= 2
