"""Where to compute again: tiles of few sizes over the blocks that need it, or the whole frame.

Few sizes, because a runtime prepares and keeps memory for each. A tile is a square, small or large,
with a rim as wide as the network sees; at the frame's edges it is moved inwards and keeps its size.
For a runtime that computes batches of tiles all have one size.
"""

from __future__ import annotations

import math
import statistics
from collections import deque
from dataclasses import dataclass

from edge_sr.session.blocks import BLOCK, Mask
from edge_sr.types import Size

LARGE = 12  # blocks: the side of what is kept of a large tile, at least
CALL_PIXELS = 1000  # what calling the network costs, as pixels
WORTH = 0.9  # of the whole frame's time: tiles that take more are not worth it
KEPT = 8  # measured times that the fastest is taken of
TRIED_AGAIN = 60  # frames after which tiles that were slow are measured again
LONGEST_PAUSE = 16  # frames with much to compute that are not planned, at most
Span = tuple[int, int]


@dataclass(frozen=True)
class Tile:
    """Input pixels: what is kept of a tile, and what the network gets."""

    rows: Span
    columns: Span
    given_rows: Span
    given_columns: Span

    @property
    def given(self) -> tuple[int, int]:
        """Rows and columns that the network gets."""
        (top, bottom), (left, right) = self.given_rows, self.given_columns
        return bottom - top, right - left

    @property
    def pixels(self) -> int:
        """What the network gets."""
        rows, columns = self.given
        return rows * columns

    def kept(self, frame: Size, margin: int) -> tuple[Span, Span]:
        """Rows and columns that are kept, with a margin where the frame goes on."""
        rows, columns = (
            (max(0, start - margin), min(stop + margin, side))
            for (start, stop), side in (
                (self.rows, frame.height),
                (self.columns, frame.width),
            )
        )
        return rows, columns


def plan_tiles(
    needed: Mask,
    height: int,
    width: int,
    rim: int,
    small: int = 4,
    most: float = math.inf,
    batch: int | None = None,
) -> list[Tile] | None:
    """Tiles that cover the blocks that are needed, from top to bottom; None: it takes too many.

    Args:
        needed: (ceil(height / 16), ceil(width / 16)).
        rim: pixels around what is kept of a tile, a multiple of 16.
        small: blocks: the side of what is kept of a small tile.
        most: what all tiles may cost, in pixels of the whole frame.
        batch: tiles that one call computes. They are all small ones, and all of the size that
            `edge_sr.model.engine_facts.tile_sides` has. None where each is a call.
    """
    if needed.sum() * BLOCK * BLOCK > most:
        return None
    large = max(LARGE, 3 * small)
    fits = batch is None and min(height, width) >= large * BLOCK + 2 * rim
    more = (0, 0) if batch is None else (height % BLOCK, width % BLOCK)
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
            rows = _spans(row, side, height, rim, more[0])
            columns = _spans(column, side, width, rim, more[1])
            tiles.append(Tile(rows[0], columns[0], rows[1], columns[1]))
            begins_call = (len(tiles) - 1) % (batch or 1) == 0
            most -= tiles[-1].pixels + (CALL_PIXELS if begins_call else 0)
            if most < 0:
                return None
    return sorted(tiles, key=lambda tile: tile.given)


def _pixels(side: int, rim: int) -> int:
    return (side * BLOCK + 2 * rim) ** 2 + CALL_PIXELS


def _shifted(rows: Mask, column: int, side: int) -> int:
    """Where a tile over these rows begins that has `column` and as much as it can of the rest."""
    begins = range(column, max(-1, column - side), -1)
    return max(begins, key=lambda begin: int(rows[:, begin : begin + side].sum()))


class CostModel:
    """Whether tiles take less time than the whole frame: by their pixels, and times of both.

    Where planning ends in whole frames, frames like those are not planned for a while: one after
    the first, and twice as many after each further one. What moves all the time costs little then.
    """

    def __init__(self, pixels: int, batch: int = 1) -> None:
        """Of frames with so many input pixels, and calls with so many tiles."""
        self._pixels = pixels + CALL_PIXELS
        self._batch = batch
        self._whole: deque[float] = deque(maxlen=KEPT)  # seconds a pixel
        self._tiles: deque[float] = deque(maxlen=KEPT)
        self._beside: deque[float] = deque(maxlen=KEPT)  # seconds a frame
        self._sizes: set[tuple[int, int]] = set()  # of tiles that were computed before
        self._refused = 0  # frames since the last that took tiles, or since tiles were forgotten
        self._in_vain = 0  # frames on end that were planned and took too many tiles
        self._pause = 0  # frames with much to compute that are not to be planned

    def most(self) -> float:
        """What the tiles of a frame may cost, in pixels, to take less time than the whole frame.

        What they take besides counts as well.
        """
        if not (self._whole and self._tiles):
            return WORTH * self._pixels
        whole = statistics.median(self._whole)
        tile = min(max(statistics.median(self._tiles), whole / 2), whole * 2)
        beside = statistics.median(self._beside) if self._beside else 0.0
        return (WORTH * self._pixels * whole - beside) / tile

    def worth_planning(self, least: int) -> bool:
        """Whether a frame is to be planned of which so many pixels must be computed at least."""
        most = self.most()
        if least <= (most / 4 if self._pause else most):
            return True
        self._pause = max(0, self._pause - 1)
        self._count_refused()
        return False

    def note_refused(self) -> None:
        """A frame was planned, and took too many tiles."""
        self._pause = min(2**self._in_vain, LONGEST_PAUSE)
        self._in_vain += 1
        self._count_refused()

    def _count_refused(self) -> None:
        self._refused += 1
        if self._refused == TRIED_AGAIN:
            self._tiles.clear()
            self._beside.clear()
            self._refused = 0

    def note_whole(self, seconds: float) -> None:
        """The time of a whole frame."""
        self._whole.append(seconds / self._pixels)

    def note_tiles(self, tiles: list[Tile], seconds: float, beside: float) -> None:
        """The time of all tiles of a frame; that of a new size, which is prepared, is left out.

        Args:
            tiles: those that were computed; may be empty.
            seconds: what the network took.
            beside: what comparing, copying and adding took.
        """
        self._refused = self._in_vain = 0
        self._beside.append(beside)
        sizes = {tile.given for tile in tiles}
        if tiles and sizes <= self._sizes:
            calls = -(-len(tiles) // self._batch)
            cost = sum(tile.pixels for tile in tiles) + calls * CALL_PIXELS
            self._tiles.append(seconds / cost)
        self._sizes |= sizes


def _spans(block: int, side: int, length: int, rim: int, more: int = 0) -> tuple[Span, Span]:
    """Along one axis: what is kept, and what is given, which begins at a multiple of 16.

    Args:
        more: pixels that are given beyond the blocks and the rims.
    """
    start, stop = block * BLOCK, min((block + side) * BLOCK, length)
    size = side * BLOCK + 2 * rim + more
    low = max(0, start - rim)
    if low + size >= length:  # to the end, where the network pads
        low = max(0, (length - size) // BLOCK * BLOCK)
        return (start, stop), (low, length)
    return (start, stop), (low, low + size)
