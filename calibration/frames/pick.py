"""Choosing frames that differ: over scenes, exposures and motion; near-duplicates are dropped."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from calibration.frames.scenes import Look

NEAR = 1.0  # frames whose small pictures differ by less, in grey levels, are near-duplicates
EXTREMES = 2  # darkest, brightest, stillest and fastest frames that are always taken, each


def pick(looks: Sequence[Look], count: int, seed: int) -> list[int]:
    """Places in ``looks`` of up to ``count`` frames, in order; fewer if the rest are alike.

    The extremes of exposure and motion come first. Then each scene gets its share, by the square
    root of its length, and within a scene the frame least like those taken comes next (farthest
    point sampling); ties fall by the seed.
    """
    chooser = _Chooser(looks, seed)
    for key in ("exposure", "motion"):
        order = sorted(range(len(looks)), key=lambda place: getattr(looks[place], key))
        for place in (*order[:EXTREMES], *order[-EXTREMES:]):
            if len(chooser.taken) < count:
                chooser.take(place)
    scenes: dict[int, list[int]] = {}
    for place, look in enumerate(looks):
        scenes.setdefault(look.scene, []).append(place)
    weight = sum(math.sqrt(len(places)) for places in scenes.values())
    for places in scenes.values():
        quota = max(1, round(count * math.sqrt(len(places)) / weight))
        have = len(chooser.taken.intersection(places))
        chooser.fill(places, min(quota - have, count - len(chooser.taken)))
    chooser.fill(range(len(looks)), count - len(chooser.taken))
    return sorted(chooser.taken)


class _Chooser:
    def __init__(self, looks: Sequence[Look], seed: int) -> None:
        self.thumbs: NDArray[np.float32] = np.stack([look.thumb.ravel() for look in looks])
        self.distance = np.full(len(looks), np.inf)
        self.noise = np.random.default_rng(seed).uniform(0, 1e-3, len(looks))
        self.taken: set[int] = set()

    def take(self, place: int) -> None:
        """Take a frame unless it is a near-duplicate of one already taken."""
        if self.distance[place] < NEAR:
            return
        self.taken.add(place)
        away = np.mean(np.abs(self.thumbs - self.thumbs[place]), axis=1)
        self.distance = np.minimum(self.distance, away)

    def fill(self, places: Sequence[int] | range, count: int) -> None:
        """Take up to ``count`` of these places, the one least like what is taken each time."""
        index = np.asarray(places)
        for _ in range(count):
            far = np.minimum(self.distance[index], 1e6) + self.noise[index]
            best = int(index[int(np.argmax(far))])
            if self.distance[best] < NEAR:
                return
            self.take(best)
