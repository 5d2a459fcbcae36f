"""Where to compute again: tiles of few sizes over the blocks that need it, or the whole frame.

Few sizes, because a runtime prepares and keeps memory for each. A tile is a square, small or large,
with a rim as wide as the network sees; at the frame's edges it is moved inwards and keeps its size.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from edge_sr.session.blocks import BLOCK, Mask

LARGE = 3  # times the side of a small tile
CALL_PIXELS = 3000  # what calling the network costs, as pixels
WORTH = 0.9  # of the whole frame's time: tiles that take more are not worth it
KEPT = 8  # measured times that the fastest is taken of
Span = tuple[int, int]


@dataclass(frozen=True)
class Tile:
    """Input pixels: what is kept of a tile, and what the network gets."""

    rows: Span
    columns: Span
    given_rows: Span
    given_columns: Span

    @property
    def pixels(self) -> int:
        """What the network gets."""
        (top, bottom), (left, right) = self.given_rows, self.given_columns
        return (bottom - top) * (right - left)


def plan_tiles(needed: Mask, height: int, width: int, rim: int) -> list[Tile]:
    """Tiles that cover the blocks that are needed, from top to bottom.

    Args:
        needed: (ceil(height / 16), ceil(width / 16)).
        rim: pixels around what is kept of a tile, a multiple of 16.
    """
    small = 2 * rim // BLOCK + 2  # blocks: one that changed, widened on both sides, and one more
    large = LARGE * small
    fits = min(height, width) >= large * BLOCK + 2 * rim
    # blocks that large tiles must cover, to cost less than as many small ones half filled
    enough = small * small // 2 * _pixels(large, rim) // _pixels(small, rim)
    left = needed.copy()
    tiles = []
    for row in range(left.shape[0]):
        while left[row].any():
            column = int(left[row].argmax())
            side = small
            if fits and left[row : row + large, column : column + large].sum() >= enough:
                side = large
            column = _shifted(left[row : row + side], column, side)
            left[row : row + side, column : column + side] = False
            tiles.append(_tile(row, column, side, height, width, rim))
    return sorted(tiles, key=lambda tile: tile.pixels)


def _pixels(side: int, rim: int) -> int:
    return (side * BLOCK + 2 * rim) ** 2 + CALL_PIXELS


def _shifted(rows: Mask, column: int, side: int) -> int:
    """Where a tile over these rows begins that has `column` and as much as it can of the rest."""
    begins = range(column, max(-1, column - side), -1)
    return max(begins, key=lambda begin: int(rows[:, begin : begin + side].sum()))


class CostModel:
    """Whether tiles take less time than the whole frame: by their pixels, and times of both."""

    def __init__(self, pixels: int) -> None:
        """Of frames with so many input pixels."""
        self._pixels = pixels + CALL_PIXELS
        self._whole: deque[float] = deque(maxlen=KEPT)  # seconds a pixel
        self._tiles: deque[float] = deque(maxlen=KEPT)

    def are_worth_it(self, tiles: list[Tile]) -> bool:
        """Whether these take less time than the frame."""
        ratio = 1.0
        if self._whole and self._tiles:
            ratio = min(self._tiles) / min(self._whole)
        return _cost(tiles) * min(max(ratio, 0.5), 2.0) < WORTH * self._pixels

    def note_whole(self, seconds: float) -> None:
        """The time of a whole frame."""
        self._whole.append(seconds / self._pixels)

    def note_tiles(self, tiles: list[Tile], seconds: float) -> None:
        """The time of all tiles of a frame."""
        self._tiles.append(seconds / _cost(tiles))


def _cost(tiles: list[Tile]) -> int:
    return sum(tile.pixels + CALL_PIXELS for tile in tiles)


def _tile(row: int, column: int, side: int, height: int, width: int, rim: int) -> Tile:
    rows, given_rows = _spans(row, side, height, rim)
    columns, given_columns = _spans(column, side, width, rim)
    return Tile(rows, columns, given_rows, given_columns)


def _spans(block: int, side: int, length: int, rim: int) -> tuple[Span, Span]:
    """Along one axis: what is kept, and what is given, which begins at a multiple of 16."""
    start, stop = block * BLOCK, min((block + side) * BLOCK, length)
    size = side * BLOCK + 2 * rim
    low = max(0, start - rim)
    if low + size >= length:  # to the end, where the network pads
        low = max(0, (length - size) // BLOCK * BLOCK)
        return (start, stop), (low, length)
    return (start, stop), (low, low + size)
