"""Which blocks of an image differ from those that were computed last."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge_sr.media.libraries import load_cv2

Image = NDArray[np.uint8]
Samples = NDArray[np.uint8 | np.uint16]
Mask = NDArray[np.bool_]  # (rows of blocks, columns of blocks)

BLOCK = 16  # pixels a side
SIGNED = 3  # OpenCV's CV_16S
SAMPLED = 8  # every so many rows are looked at first
AUTO_MAX = 16  # grey levels that "auto" allows at most
ERROR_OF_DETAIL = 0.04  # squared error of a network / that of detail: the least of six clips
ALLOWED = (10**0.005 - 1) * ERROR_OF_DETAIL  # 0.05 dB more
# what a kept block adds to the squared error, its change enlarged and added: measured on five clips
OF_SQUARES = 0.1  # of the change, squared
OF_ROUNDING = 1 / 12  # where there is a change: results are rounded twice


class BlockWatch:
    """The image that the present result was computed from, and comparisons with it.

    A block that was not computed again keeps its old pixels here, so that a slow change cannot
    creep in below the limit.
    """

    def __init__(self, rows: int, columns: int, pixel_bytes: int, *, bits: int = 8) -> None:
        """Prepare for images of one size.

        Args:
            pixel_bytes: the last axis of the images.
            bits: of a sample; above 8 it has two bytes.
        """
        self.shape = rows, columns, pixel_bytes
        self._kind: type[np.uint8 | np.uint16] = np.uint8 if bits == 8 else np.uint16
        self._shift = bits - 8
        down, across = -(-rows // BLOCK), -(-columns // BLOCK)
        self._grid = down, across
        padded = down * BLOCK, across * BLOCK * pixel_bytes
        self._held = np.zeros(padded, np.uint8)
        self._new = np.zeros(padded, np.uint8)

    @property
    def loaded(self) -> Image:
        """The image that was loaded last, uint8 (H, W, C): a view."""
        return self._picture(self._new)

    def difference(self) -> NDArray[np.int16] | None:
        """The loaded image less the one that is held: int16 (H, W, samples); None if all is 0.

        Samples that differ by more than int16 holds are limited to it.
        """
        new, held = (self._picture(plane).view(self._kind) for plane in (self._new, self._held))
        found: NDArray[np.int16] = load_cv2().subtract(new, held, dtype=SIGNED)
        return found.reshape(new.shape) if found.any() else None

    def load(self, image: Image) -> None:
        """Take an image, uint8 (H, W, C), to compare it; it is copied."""
        rows, columns, depth = self.shape
        self._new[:rows, : columns * depth] = image.reshape(rows, -1)

    def keep_all(self) -> None:
        """The image that was loaded is computed as a whole."""
        self._held, self._new = self._new, self._held

    def keep(self, rows: tuple[int, int], columns: tuple[int, int]) -> None:
        """Of the image that was loaded, these pixels are computed."""
        part = slice(*rows), slice(*columns)
        self._picture(self._held)[part] = self._picture(self._new)[part]

    def changed(self, limit: int, *, step: int = 1) -> Mask:
        """Blocks of the loaded image that differ from the one that is held.

        Args:
            limit: by more than so many grey levels, at any sample.
            step: compare every so many rows only; fewer blocks are found then.
        """
        new, held = self._new[::step], self._held[::step]
        if limit <= 0:
            words = new.view(np.uint64) != held.view(np.uint64)
            return self._any(words, step)
        apart = _apart(new.view(self._kind), held.view(self._kind))
        return self._any(apart > limit << self._shift, step)

    def auto_limit(self) -> int:
        """The largest limit, up to 16 grey levels, that loses 0.05 dB at most.

        What a limit loses is estimated from the squared differences of the blocks that it would
        keep, and compared with the error that the network makes itself, of which the detail in the
        image is a sign.
        """
        rows, columns, _ = self.shape
        new = self._new[::SAMPLED]
        apart = _apart(new.view(self._kind), self._held[::SAMPLED].view(self._kind))
        apart = np.minimum(apart >> self._shift, AUTO_MAX + 1).astype(np.uint16)
        down, across = self._grid
        by_block = apart.reshape(down, BLOCK // SAMPLED, across, -1)
        added = OF_SQUARES * (by_block * by_block).sum(axis=(1, 3), dtype=np.int64)
        added += OF_ROUNDING * np.count_nonzero(by_block, axis=(1, 3))
        largest = by_block.max(axis=(1, 3))
        lost = np.bincount(largest.ravel(), added.ravel(), AUTO_MAX + 2).cumsum()
        samples = rows * columns * by_block.shape[3] // BLOCK / SAMPLED
        found = np.searchsorted(lost[: AUTO_MAX + 1], ALLOWED * self._detail() * samples, "right")
        return max(0, int(found) - 1)

    def _detail(self) -> float:
        """Mean square of the second differences from row to row, in grey levels of 8 bits."""
        rows = self.shape[0] - 2
        above, middle, below = (
            self._new[start : start + rows : SAMPLED].view(self._kind).astype(np.int32)
            for start in range(3)
        )
        squares = np.square(2 * middle - above - below, dtype=np.float64)
        return float(squares.mean()) / float(4**self._shift)

    def _picture(self, plane: NDArray[np.uint8]) -> Image:
        rows, columns, depth = self.shape
        return plane.reshape(plane.shape[0], -1, depth)[:rows, :columns]

    def _any(self, differs: NDArray[np.bool_], step: int) -> Mask:
        down, across = self._grid
        by_block = differs.reshape(down, BLOCK // step, across, -1)
        return np.asarray(by_block.any(axis=(1, 3)), np.bool_)


def widen(mask: Mask, blocks: int) -> Mask:
    """The blocks, and those within so many blocks of them in every direction."""
    found = mask.copy()
    for _ in range(blocks):
        found[1:] |= found[:-1].copy()
        found[:-1] |= found[1:].copy()
        found[:, 1:] |= found[:, :-1].copy()
        found[:, :-1] |= found[:, 1:].copy()
    return found


def _apart(one: Samples, other: Samples) -> Samples:
    """Absolute differences, without a wider type."""
    found: Samples = np.maximum(one, other)
    found -= np.minimum(one, other)
    return found
