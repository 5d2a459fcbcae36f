"""Which blocks of an image differ from those that were computed last."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Samples = NDArray[np.uint8 | np.uint16]
Mask = NDArray[np.bool_]  # (rows of blocks, columns of blocks)

BLOCK = 16  # pixels a side
SAMPLED = 8  # every so many rows are looked at first
AUTO_MAX = 4  # grey levels that "auto" allows at most
ERROR_OF_DETAIL = 0.04  # squared error of a network / that of detail: the least of six clips
ALLOWED = (10**0.005 - 1) * ERROR_OF_DETAIL  # 0.05 dB more


class BlockWatch:
    """The image that the present result belongs to, and comparisons with it.

    A block that was not computed again keeps its old pixels here. So the result is that of this
    image as a whole, and a slow change cannot creep in below the limit.
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
    def held(self) -> Image:
        """The image that the result belongs to, uint8 (H, W, C): a view."""
        rows, columns, depth = self.shape
        return self._held.reshape(self._held.shape[0], -1, depth)[:rows, :columns]

    def load(self, image: Image) -> None:
        """Take an image, uint8 (H, W, C), to compare it; it is copied."""
        rows, columns, depth = self.shape
        self._new[:rows, : columns * depth] = image.reshape(rows, -1)

    def keep_all(self) -> None:
        """The image that was loaded is computed as a whole."""
        self._held, self._new = self._new, self._held

    def keep(self, mask: Mask) -> None:
        """Of the image that was loaded, these blocks are computed."""
        _blocks(self._held, self._grid)[mask] = _blocks(self._new, self._grid)[mask]

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
        """The largest limit, up to 4 grey levels, that loses 0.05 dB at most.

        What a limit loses is measured: the squared difference of the blocks that it would keep,
        against the error that the network makes itself, of which the detail in the image is a sign.
        """
        rows, columns, depth = self.shape
        new = self._new[::SAMPLED]
        apart = _apart(new.view(self._kind), self._held[::SAMPLED].view(self._kind))
        apart = np.minimum(apart >> self._shift, AUTO_MAX + 1).astype(np.uint8)
        down, across = self._grid
        by_block = apart.reshape(down, BLOCK // SAMPLED, across, -1)
        largest = by_block.max(axis=(1, 3))
        squares = (by_block * by_block).sum(axis=(1, 3), dtype=np.int64)
        allowed = ALLOWED * self._detail() * rows * columns * depth / SAMPLED
        limit = 0
        while limit < AUTO_MAX and squares[largest <= limit + 1].sum() <= allowed:
            limit += 1
        return limit

    def _detail(self) -> float:
        """Mean square of the second differences from row to row, in grey levels of 8 bits."""
        rows = self.shape[0] - 2
        above, middle, below = (
            self._new[start : start + rows : SAMPLED].view(self._kind).astype(np.int32)
            for start in range(3)
        )
        squares = np.square(2 * middle - above - below, dtype=np.float64)
        return float(squares.mean()) / float(4**self._shift)

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


def _blocks(plane: NDArray[np.uint8], grid: tuple[int, int]) -> NDArray[np.uint8]:
    """(rows of blocks, columns of blocks, BLOCK, bytes of a row of a block): a view."""
    down, across = grid
    return plane.reshape(down, BLOCK, across, -1).swapaxes(1, 2)
