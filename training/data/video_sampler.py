"""Batches from video pairs, read from the files while training goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from fractions import Fraction

import numpy as np

from training.data.pairs import Pair
from training.data.photos import DataError
from training.data.sampler import PatchSampler
from training.data.video_file import read_frames
from training.data.video_pairs import ClipPair

FRAMES = 8  # random frames that one block of steps takes its patches from
STEPS = 128  # of a block, fewer where its frames hold fewer patches
BLOCKS_AHEAD = 2
READERS = 2  # threads


def steps_of_block(pair: ClipPair, patch: tuple[int, int], batch: int) -> int:
    """Steps until the patches of ``FRAMES`` frames cover them once, at most `STEPS`.

    Args:
        patch: rows and columns in the small clip.
    """
    area = FRAMES * pair.low.width * pair.low.height
    return max(1, min(STEPS, area // (batch * patch[0] * patch[1])))


class VideoSampler:
    """Patches of random frames of random scenes.

    Steps come in blocks; a block's frames depend on (seed, block) and its batches on (seed, step),
    so that a resumed run sees what the uninterrupted one would have seen.
    """

    def __init__(
        self,
        pairs: list[ClipPair],
        *,
        seed: int,
        channels: int,
        patches: Callable[[list[Pair]], PatchSampler],
        steps: int = STEPS,
    ) -> None:
        self.pairs, self.seed, self.channels, self.patches = pairs, seed, channels, patches
        self.steps = steps
        self.totals = np.cumsum([len(pair.matches) for pair in pairs])

    def frames_of(self, block: int) -> list[tuple[int, int]]:
        """(scene, match) of a block's frames."""
        rng = np.random.default_rng([self.seed, block, 3])
        drawn = rng.integers(self.totals[-1], size=FRAMES)
        scenes = np.searchsorted(self.totals, drawn, side="right")
        starts = np.concatenate([[0], self.totals])
        return [
            (int(scene), int(n - starts[scene])) for n, scene in zip(drawn, scenes, strict=True)
        ]

    def batches(self, first: int, last: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Batches as `PatchSampler.batches`; frames are read ahead in threads.

        Raises:
            DataError: a frame cannot be read.
        """
        pool = ThreadPoolExecutor(READERS, thread_name_prefix="reader")
        waiting: dict[int, list[Future[Pair]]] = {}
        patches, current = None, -1
        try:
            for step in range(first, last):
                block = step // self.steps
                for ahead in range(block, min(block + BLOCKS_AHEAD, (last - 1) // self.steps) + 1):
                    if ahead > current and ahead not in waiting:
                        waiting[ahead] = [
                            pool.submit(self._read, scene, match)
                            for scene, match in self.frames_of(ahead)
                        ]
                if block != current or patches is None:
                    found = [future.result() for future in waiting.pop(block)]
                    patches, current = self.patches(found), block
                yield patches.sample(step)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _read(self, scene: int, match: int) -> Pair:
        return read_pair(self.pairs[scene], match, channels=self.channels)


def read_pair(pair: ClipPair, match: int, *, channels: int) -> Pair:
    """One moment of a scene, both sides as coded."""
    small, large = (int(number) for number in pair.matches[match])
    low = read_frames(pair.low, small, channels=channels)[0]
    high = read_frames(pair.high, large, channels=channels)[0]
    return Pair(f"{pair.scene}@{pair.low.seconds[small]:.3f}s", high, low)


def held_frames(pairs: list[ClipPair], count: int, *, channels: int) -> list[Pair]:
    """``count`` moments spread evenly over the scenes, fewer where there are fewer frames."""
    moments = [(pair, match) for pair in pairs for match in range(len(pair.matches))]
    chosen = np.linspace(0, len(moments) - 1, min(count, len(moments))).astype(int)
    picked = [moments[index] for index in chosen]
    return [read_pair(pair, match, channels=channels) for pair, match in picked]


def cut_to(pair: Pair, scale: Fraction, multiple: int) -> Pair:
    """Rows and columns cut at the end until the low side's are multiples of ``multiple``.

    Raises:
        DataError: nothing is left.
    """
    step = multiple * scale.denominator
    rows, columns = (side - side % step for side in pair.low.shape[:2])
    if not rows or not columns:
        raise DataError(f"{pair.name}: smaller than {step}x{step}")
    high = pair.high[: int(rows * scale), : int(columns * scale)]
    return Pair(pair.name, high, pair.low[:rows, :columns])
