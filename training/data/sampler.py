"""Pairs of pictures -> batches of patches, chosen where there is something to learn.

Each batch is a pure function of (seed, step): a resumed run sees exactly the data that the
uninterrupted one would have seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np

from training.data.degrade import Degradation, degrade
from training.data.pairs import Pair

LUMA = np.array([65.481, 128.553, 24.966]) / 219  # BT.601, parts of 219 levels


def mixture(rng: np.random.Generator, chance: float) -> np.ndarray:
    """Parts of red, green and blue, float64 (3,), sum 1: random by ``chance``, else luma's."""
    return LUMA if rng.random() < 1 - chance else rng.dirichlet((0.8, 0.8, 0.8))


def grey(rgb: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """Whole levels 16..235, float32 (H, W, 1), of uint8 (H, W, 3), as BT.601's luma has them."""
    mixed = rgb.astype(np.float32) @ (parts * (219 / 255)).astype(np.float32)
    return np.rint(mixed + 16)[..., None]


class PatchSampler:
    """Random patches, drawn with a chance that grows with their gradient: skies are rare."""

    CELL = 16  # low-resolution pixels between the places where gradient is summed up

    def __init__(
        self,
        pairs: list[Pair],
        scale: Fraction,
        *,
        patch: tuple[int, int],
        batch: int,
        seed: int,
        gain_chance: float = 0.25,
        mixtures: float = 0.0,
        degradation: Degradation | None = None,
        taught: Sequence[Pair] = (),
        taught_part: float = 0.0,
    ) -> None:
        """``taught``: more pairs, from which ``taught_part`` of the patches are drawn."""
        pairs, own = [*pairs, *taught], len(pairs)
        self.pairs, self.scale, self.patch, self.batch = pairs, scale, patch, batch
        self.seed, self.gain_chance, self.degradation = seed, gain_chance, degradation
        self.mixtures = mixtures
        places, weights = [], []
        for index, pair in enumerate(pairs):
            tops, lefts, gradient = self._gradient(pair.low)
            places.append(np.stack([np.full(tops.shape, index), tops, lefts], axis=-1))
            weights.append(gradient)
        self.places = np.concatenate([place.reshape(-1, 3) for place in places])
        weight = np.concatenate([gradient.ravel() for gradient in weights])
        weight = np.minimum(weight, np.quantile(weight, 0.95)) + 0.25
        if taught:
            more = self.places[:, 0] >= own
            weight[more] *= taught_part / weight[more].sum()
            weight[~more] *= (1 - taught_part) / weight[~more].sum()
        self.cumulative = np.cumsum(weight / weight.sum())

    def _gradient(self, low: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Top, left and mean gradient (grey levels per pixel) of every candidate patch."""
        y = low.astype(np.float32).mean(axis=2) * (219 / 255 if self.mixtures else 1)
        energy = np.zeros_like(y)
        energy[1:] += np.abs(np.diff(y, axis=0))
        energy[:, 1:] += np.abs(np.diff(y, axis=1))
        total = np.pad(energy.cumsum(0, dtype=np.float64).cumsum(1), ((1, 0), (1, 0)))
        height, width = self.patch
        rows = np.arange(0, low.shape[0] - height + 1, self.CELL)
        columns = np.arange(0, low.shape[1] - width + 1, self.CELL)
        tops, lefts = np.meshgrid(rows, columns, indexing="ij")
        box = (
            total[tops + height, lefts + width]
            - total[tops, lefts + width]
            - total[tops + height, lefts]
            + total[tops, lefts]
        )
        return tops, lefts, box / (height * width)

    def sample(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Batch number ``step``: float32 grey levels 0..255, low (B, h, w, C) and high to match.

        Every patch gets a random flip, and a quarter turn where it is square; some get a gain and
        an offset that keep them within 0..255 (video is limited-range, pictures are not). With
        ``mixtures``, RGB pairs become grey, of other parts of red, green and blue each time.
        """
        rng = np.random.default_rng([self.seed, step])
        chosen = np.searchsorted(self.cumulative, rng.random(self.batch))
        lows: list[np.ndarray] = []
        highs: list[np.ndarray] = []
        for index, *corner in self.places[chosen.clip(max=len(self.places) - 1)]:
            low, high = self._cut(self.pairs[index], corner, rng)
            if self.mixtures:
                parts = mixture(rng, self.mixtures)
                low, high = grey(low, parts), grey(high, parts)
            turns = int(rng.integers(4)) if self.patch[0] == self.patch[1] else 0
            mirror = slice(None, None, -1 if rng.integers(2) else 1)
            gain, offset = 1.0, 0.0
            if rng.random() < self.gain_chance:
                gain = rng.uniform(0.6, 1.0)
                offset = rng.uniform(0.0, 255 * (1 - gain))
            for side, into in ((low, lows), (high, highs)):
                turned = np.rot90(side[:, mirror], turns).astype(np.float32)
                into.append(turned * np.float32(gain) + np.float32(offset))
        low = np.stack(lows)
        if self.degradation is not None:
            low = degrade(low, self.degradation, np.random.default_rng([self.seed, step, 1]))
        return low, np.stack(highs)

    def _cut(
        self, pair: Pair, corner: list[int], rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """The patch near ``corner``, moved by less than a cell, and its high-resolution twin."""
        grid = self.scale.denominator  # corners where both sides' pixel grids begin together
        top, left = (
            min(place + int(rng.integers(self.CELL)), side - size) // grid * grid
            for place, side, size in zip(corner, pair.low.shape, self.patch, strict=False)
        )
        height, width = self.patch
        low = pair.low[top : top + height, left : left + width]
        y, x, rows, columns = (int(value * self.scale) for value in (top, left, height, width))
        return low, pair.high[y : y + rows, x : x + columns]

    def batches(self, first: int, last: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Batches ``first`` .. ``last`` - 1, in order, as `sample` gives them."""
        for step in range(first, last):
            yield self.sample(step)
