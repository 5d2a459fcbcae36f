"""Where to clip: each method against its definition, written out bin by bin."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from calibration.quantize.thresholds import BINS, METHODS, Histogram, _divergence, thresholds


def counted(values: np.ndarray) -> Histogram:
    histogram = Histogram()
    assert histogram.add(values.astype(np.float32))
    return histogram


def laplace() -> np.ndarray:
    """A long tail."""
    return np.abs(np.random.default_rng(0).laplace(0, 1, 61_234))


def flat_and_stray() -> np.ndarray:
    """As many of each magnitude below 1, many zeros, and a few strays."""
    values = np.random.default_rng(1).uniform(0, 1, 59_999)
    return np.concatenate([values, np.zeros(9000), [7.0, 7.5, 9.0]])


def few_values() -> np.ndarray:
    """Most bins are empty."""
    return np.rint(np.abs(np.random.default_rng(2).normal(0, 20, 20_011)))


def percentile(histogram: Histogram, share: float) -> float:
    """The upper edge of the first bin with which so much of the whole is counted."""
    total, below = float(sum(histogram.counts)), 0.0
    for index, count in enumerate(histogram.counts):
        below += count
        if below / total >= share:
            return (index + 1) * histogram.top / BINS
    raise AssertionError("unreachable")


def least_squares(histogram: Histogram) -> float:
    """Of 160 clips, from 2 % of the peak to all of it, the one with the least squared error."""
    ratio = (1 / 0.02) ** (1 / 159)
    middles = (np.arange(BINS) + 0.5) * (histogram.top / BINS)

    def error(clip: float) -> float:
        step = clip / 127
        levels = np.clip(np.round(middles / step), -127, 127)
        return float(np.dot(histogram.counts, (middles - levels * step) ** 2))

    return min((histogram.peak * 0.02 * ratio**index for index in range(160)), key=error)


def entropy(histogram: Histogram) -> float:
    """S. Migacz, "8-bit Inference with TensorRT", 2017, with 128 levels and every 16th end."""
    counts = [float(count) for count in histogram.counts]
    counts[0] = counts[1]
    found = []
    for end in range(128, BINS + 1, 16):
        inside = counts[:end]
        reference = [*inside[:-1], inside[-1] + sum(counts[end:])]
        coarse = [0.0] * end
        for level in range(128):
            places = range(level * end // 128, (level + 1) * end // 128)
            filled = [place for place in places if inside[place] > 0]
            for place in filled:
                coarse[place] = sum(inside[k] for k in places) / len(filled)
        p, q = sum(reference), sum(coarse)
        divergence = sum(
            a / p * math.log(a / p / max(b / q, 1e-12))
            for a, b in zip(reference, coarse, strict=True)
            if a > 0
        )
        found.append((divergence, end))
    return min(found)[1] * histogram.top / BINS


@pytest.mark.slow
@pytest.mark.parametrize("make", [laplace, flat_and_stray, few_values])
def test_every_method_is_its_definition(make: Callable[[], np.ndarray]) -> None:
    histogram = counted(make())
    found = thresholds(histogram)
    assert list(found) == list(METHODS)
    assert found["minmax"] == histogram.peak
    for name, share in (("p99.9", 0.999), ("p99.99", 0.9999), ("p99.999", 0.99999)):
        assert found[name] == min(percentile(histogram, share), histogram.peak)
    assert found["mse"] == pytest.approx(least_squares(histogram), rel=1e-9)
    assert found["entropy"] == min(entropy(histogram), histogram.peak)


@pytest.mark.parametrize("seed", range(8))
def test_least_squares_looks_at_the_middles_of_bins(seed: int) -> None:
    histogram, draw = Histogram(), np.random.default_rng(seed)
    histogram.counts[:100] = draw.exponential(1, 100) ** 3  # as wide as a level: places matter
    histogram.top, histogram.low, histogram.high = 1.0, 0.0, 100 / BINS
    assert thresholds(histogram)["mse"] == pytest.approx(least_squares(histogram), rel=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_entropy_of_uneven_counts(seed: int) -> None:
    histogram, draw = Histogram(), np.random.default_rng(seed)
    decay = np.exp(-np.arange(BINS) / draw.uniform(20, 200))
    histogram.counts[:] = np.rint(draw.exponential(1000, BINS) ** 1.2 * decay)
    histogram.top, histogram.low, histogram.high = 1.0, 0.0, 1.0
    assert thresholds(histogram)["entropy"] == entropy(histogram)


def test_the_definitions_clip_these() -> None:
    """Else the test above would compare peaks with peaks."""
    long, stray = thresholds(counted(laplace())), thresholds(counted(flat_and_stray()))
    assert long["p99.9"] < long["p99.99"] < long["minmax"]
    assert long["mse"] < 0.9 * long["minmax"]
    assert stray["entropy"] < 0.2 * stray["minmax"]


def test_thresholds_stand_in_their_order_on_a_long_tail() -> None:
    rng = np.random.default_rng(0)
    histogram = Histogram()
    values = np.abs(rng.laplace(0, 1, 200_000)).astype(np.float32)
    values[0] = 60  # one stray value
    histogram.add(values)
    found = thresholds(histogram)
    assert set(found) == set(METHODS)
    assert found["minmax"] == 60
    assert found["p99.9"] < found["p99.99"] < found["p99.999"] < 20
    assert found["p99.9"] == pytest.approx(np.quantile(values, 0.999), rel=0.05)
    assert 2 < found["entropy"] < 20

    def error(clip: float) -> float:
        step = clip / 127
        return float(np.mean((values - np.clip(np.rint(values / step), -127, 127) * step) ** 2))

    assert error(found["mse"]) <= min(error(clip) for clip in found.values()) * 1.02


def test_thresholds_do_not_depend_on_how_many_frames_there_were() -> None:
    values = np.abs(np.random.default_rng(1).laplace(0, 1, 12_345)).astype(np.float32)
    once, often = Histogram(), Histogram()
    once.add(values)
    for _ in range(3):
        often.add(values)
    assert thresholds(often) == pytest.approx(thresholds(once), rel=0.01)


def test_a_percentile_is_the_edge_of_the_bin_that_reaches_it() -> None:
    histogram = Histogram()
    histogram.add(np.linspace(0, 1, 100_001, dtype=np.float32))
    found = thresholds(histogram)
    for name, share in (("p99.9", 0.999), ("p99.99", 0.9999)):
        assert share <= found[name] <= share + 1.01 * histogram.top / BINS


def test_entropy_keeps_a_tensor_of_few_values_whole() -> None:
    histogram = Histogram()
    values = np.rint(np.abs(np.random.default_rng(0).laplace(0, 10, 50_000)))
    histogram.add(values.astype(np.float32))  # most bins are empty, and share no mass
    assert thresholds(histogram)["entropy"] > 0.9 * histogram.peak


def test_entropy_does_not_see_exact_zeros() -> None:
    values = np.abs(np.random.default_rng(2).laplace(0, 1, 50_000)).astype(np.float32)
    plain, sparse = Histogram(), Histogram()
    plain.add(values)
    sparse.add(np.concatenate([values, np.zeros(500_000, np.float32)]))
    assert thresholds(sparse)["entropy"] == pytest.approx(thresholds(plain)["entropy"], rel=0.01)


def test_a_divergence_does_not_see_the_sum_of_a_distribution() -> None:
    p, q = np.array([0.1, 0.2, 0.0, 0.3]), np.array([0.2, 0.2, 0.1, 0.1])
    assert _divergence(p, 3 * p) == pytest.approx(0)
    assert _divergence(5 * p, 3 * q) == pytest.approx(_divergence(p, q))
    assert _divergence(p, q) > 0.1
    assert _divergence(p, 0 * p) == _divergence(0 * p, p) == float("inf")


def test_a_silent_tensor_has_thresholds_of_zero() -> None:
    histogram = Histogram()
    histogram.add(np.zeros(10, np.float32))
    assert set(thresholds(histogram).values()) == {0.0}
