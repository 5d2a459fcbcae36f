"""Where to clip a tensor before it becomes int8: four families of answers from its histogram.

All give the magnitude T that becomes 127 in symmetric int8, scale T / 127.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calibration.quantize.histogram import BINS, Histogram

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
