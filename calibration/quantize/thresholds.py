"""Where to clip a tensor before it becomes int8: four families of answers from its histogram.

All give the magnitude T that becomes 127 in symmetric int8, scale T / 127.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LEVELS = 127  # of one sign
PERCENTILES = {"p99.9": 0.999, "p99.99": 0.9999, "p99.999": 0.99999}
METHODS = ("minmax", *PERCENTILES, "entropy", "mse")


def thresholds(histogram: Histogram) -> dict[str, float]:
    """T by each method; all 0 for a tensor that is always 0."""
    if histogram.top == 0:
        return dict.fromkeys(METHODS, 0.0)
    found = {"minmax": histogram.peak}
    for name, share in PERCENTILES.items():
        found[name] = min(_percentile(histogram, share), histogram.peak)
    found["entropy"] = min(_entropy(histogram), histogram.peak)
    found["mse"] = min(_least_squares(histogram), histogram.peak)
    return found


def _percentile(histogram: Histogram, share: float) -> float:
    """The magnitude that this share of the values does not exceed."""
    reached = np.cumsum(histogram.counts) / histogram.counts.sum()
    return float((np.searchsorted(reached, share) + 1) * histogram.top / BINS)


def _entropy(histogram: Histogram) -> float:
    """The clip that keeps the distribution nearest (Kullback-Leibler) to what 128 levels can say.

    As NVIDIA describes it (S. Migacz, "8-bit Inference with TensorRT", GTC 2017): the clipped
    tail joins the last bin of the reference; the bins of a level share its mass where they were
    not empty.
    """
    counts = histogram.counts.copy()
    counts[0] = counts[1]  # exact zeros are a spike that every clip keeps
    best = (np.inf, BINS)
    for end in range(LEVELS + 1, BINS + 1, 16):
        reference = counts[:end].copy()
        reference[-1] += counts[end:].sum()
        starts = (np.arange(LEVELS + 1) * end) // (LEVELS + 1)
        filled = counts[:end] > 0
        mass = np.add.reduceat(counts[:end], starts)
        bins = np.maximum(np.add.reduceat(filled.astype(np.float64), starts), 1)
        level = np.repeat(mass / bins, np.diff(np.append(starts, end)))
        coarse = np.where(filled, level, 0.0)
        best = min(best, (_divergence(reference, coarse), end))
    return float(best[1] * histogram.top / BINS)


def _divergence(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    if not p.sum() or not q.sum():
        return float("inf")
    p, q = p / p.sum(), np.maximum(q / q.sum(), 1e-12)
    some = p > 0
    return float(np.sum(p[some] * np.log(p[some] / q[some])))


def _least_squares(histogram: Histogram) -> float:
    """The clip with the least mean square of rounding and clipping together."""
    middles = (np.arange(BINS) + 0.5) * histogram.top / BINS
    best = (np.inf, histogram.peak)
    for clip in histogram.peak * np.geomspace(0.02, 1, 160):
        step = clip / LEVELS
        error = middles - np.minimum(np.rint(middles / step), LEVELS) * step
        best = min(best, (float(np.sum(histogram.counts * error**2)), float(clip)))
    return best[1]


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
