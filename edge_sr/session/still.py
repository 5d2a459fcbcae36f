"""Stillness: what did not change is not computed again.

A layer around a `Network`. Each image is compared, block by block, with the one that the present
result was computed from. Blocks that differ are computed in tiles with all the pixels that the
network sees; the others keep their result.

With a limit of 0, blocks that the network sees a change from are computed, too, and the results are
those of whole frames, bit for bit: on all runtimes that were tried a tile gives the pixels that the
whole frame gives (tests/edge_sr/session/test_still_models.py); engines have another engine for
tiles, and are compared with it first. Above 0, what a kept block differs
by is enlarged by bicubic interpolation and added to its result: a network differs little from that
on small differences, and nothing that moves slowly or is faint is left behind. Where comparing was
in vain for some frames, the next ones are not compared. After Yeo et al.,
"NEMO: enabling neural-enhanced video streaming on commodity mobile devices", MobiCom 2020, which
does so with the residuals of a codec.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_sr.errors import BackendError, FrameError
from edge_sr.media.libraries import load_cv2
from edge_sr.session.blocks import BLOCK, SAMPLED, BlockWatch, widen
from edge_sr.session.network import ModelRunner, Network
from edge_sr.session.parity import check_parity
from edge_sr.session.plan import CostModel, Span, Tile, plan_tiles
from edge_sr.types import Size

Image = NDArray[np.uint8]
Difference = NDArray[np.int16]
OFF, EXACT, AUTO = "off", "exact", "auto"
# input pixels that are added to the reach: it is measured, and may be found too small; with a limit
# so many are kept around a tile, too, where the change of its blocks is seen most
MARGIN = 4
BUSY = 0.7  # share of the blocks that differ at a glance: the frame is computed as a whole
PATIENCE = 4  # frames computed as a whole although compared; then frames pass without comparing:
LONGEST = 16  # so many at most, twice as many each time, before two are compared again
MAX_LIMIT = 64  # grey levels
LEAST_PIXELS = 320 * 180  # of a frame: in a smaller one there is little to leave out


def parse_still(text: str) -> str:
    """ "off", "exact", "auto", or grey levels as "3": the text, if it is one of them.

    Raises:
        ValueError: it is none.
    """
    number = text.isascii() and text.isdigit() and 0 <= int(text) <= MAX_LIMIT
    if text not in (OFF, EXACT, AUTO) and not number:
        raise ValueError(f"{text!r}; expected off, exact, auto, or grey levels of 0 to {MAX_LIMIT}")
    return text


@dataclass(frozen=True)
class _Planned:
    """A frame in flight."""

    tiles: list[Tile] | None  # None: the inner network computes the whole frame
    images: Sequence[Image] = ()  # a copy of what each tile is given
    difference: Difference | None = None  # of what is kept, from what it was computed from
    planned_s: float = 0.0  # what comparing and copying took
    begun_s: float = 0.0


class StillNetwork:
    """A `Network` that computes what changed. It belongs to one session.

    The result of a frame is remembered for the next one, and is read-only for that reason.
    """

    def __init__(self, inner: Network, runner: ModelRunner, size: Size, still: str) -> None:
        """Wrap a network.

        Args:
            inner: computes whole frames of `size`.
            runner: of the same model; computes the tiles.
            still: as `parse_still` takes it, but "off".

        Raises:
            FrameError: the model takes no tiles, or the network sees too far for them, or the tiles
                of an engine differ from its whole frames.
            BackendError: the runtime failed on them.
        """
        facts = runner.sidecar
        if not runner.takes_tiles:
            advice = ": build them with python -m convert.build_engine --tiles"
            raise FrameError(
                f"{facts.name} takes frames of one size, and no parts of them"
                f"{advice if facts.engine else ''}"
            )
        self._inner, self._runner, self._size = inner, runner, size
        self._ratio = facts.ratio
        self._limit = None if still == AUTO else 0 if still == EXACT else int(still)
        self._layout = runner.layout
        if self._layout is None:
            self._rim = -(-(runner.reach + MARGIN) // BLOCK) * BLOCK
        else:
            self._rim = self._layout.rim
            check_parity(runner, size, self._layout, margin=MARGIN, exact=self._limit == 0)
        self._watch = BlockWatch(size.height, size.width, facts.pixel_bytes, bits=facts.bits)
        self._cost = CostModel(size.pixels, self._layout.batch if self._layout else 1)
        self._planned: deque[_Planned] = deque()
        self._result: Image | None = None  # what was computed, without differences
        self._shared = False  # whether that was returned, too
        self._known = False  # whether `watch` holds the image of the newest result, or will
        self._refused = 0  # frames one after the other that were compared in vain
        self._passing = 0  # frames that still pass without comparing
        self._finished_s = 0.0
        self.computed = 1.0  # share of the last frame that was computed, rims included

    @property
    def depth(self) -> int:
        """The inner one's."""
        return self._inner.depth

    def submit(self, image: Image) -> None:
        """As `Network.submit`."""
        begun = time.perf_counter()
        if self._passing:
            self._passing -= 1
            self._inner.submit(image)
            self._planned.append(_Planned(None, begun_s=begun))
            self._known = False
            return
        self._watch.load(image)
        tiles = self._plan() if self._known else None
        if tiles is None:
            now = time.perf_counter()
            self._inner.submit(image)
            self._planned.append(_Planned(None, begun_s=now))
            self._watch.keep_all()
            self._refused += self._known
            if self._known and self._refused >= PATIENCE:
                self._passing = min(2 ** (self._refused - PATIENCE), LONGEST)
            self._known = True
            return
        self._refused = 0
        loaded = self._watch.loaded
        images = [
            np.ascontiguousarray(loaded[slice(*tile.given_rows), slice(*tile.given_columns)])
            for tile in tiles
        ]
        difference = None if self._limit == 0 else self._watch.difference()
        now = time.perf_counter()
        self._planned.append(_Planned(tiles, images, difference, now - begun, now))

    def collect(self) -> Image:
        """As `Network.collect`, but read-only, and the same array where nothing changed."""
        planned = self._planned[0]
        if planned.tiles is None:
            result = self._inner.collect()
            now = time.perf_counter()
            self._cost.note_whole(now - max(planned.begun_s, self._finished_s))
            self.computed = 1.0
            self._result, self._shared = result, True
        else:
            result = self._compute(planned.tiles, planned)
            now = time.perf_counter()
            self.computed = min(1.0, sum(tile.pixels for tile in planned.tiles) / self._size.pixels)
        self._planned.popleft()
        self._finished_s = now
        result.flags.writeable = False
        return result

    def reset(self) -> None:
        """What is kept is compared with every image: after a cut or a lost frame it is right, too.

        So a live source that loses frames gains as much as one that loses none. What comes is
        compared at once, however busy it was before.
        """
        self._inner.reset()
        self._refused = self._passing = 0

    def drop(self) -> None:
        """As `Network.drop`; the next frame is computed as a whole."""
        self._planned.clear()
        self._inner.drop()
        self._known = False
        self._refused = self._passing = 0
        self._result = None

    def _plan(self) -> list[Tile] | None:
        """What to compute of the loaded image, which is then held; None for all of it."""
        watch, cost = self._watch, self._cost
        limit = watch.auto_limit() if self._limit is None else self._limit
        # in exact mode a tile has a block that changed, and what sees it, on both sides
        rim = 0 if limit else self._rim // BLOCK
        # some rows may say enough
        glance = widen(watch.changed(limit, step=SAMPLED), rim)
        if glance.mean() > BUSY or not cost.worth_planning(int(glance.sum()) * BLOCK * BLOCK):
            return None
        needed, small = widen(watch.changed(limit), rim), 2 * rim + 2
        height, width = self._size.height, self._size.width
        batch = None
        if self._layout is not None:
            small, batch = self._layout.kept // BLOCK, self._layout.batch
        tiles = plan_tiles(needed, height, width, self._rim, small, cost.most(), batch)
        if tiles is None:
            cost.note_refused()
            return None
        for tile in tiles:
            watch.keep(*self._kept(tile))
        return tiles

    def _kept(self, tile: Tile) -> tuple[Span, Span]:
        """Rows and columns of the input whose results are kept of a tile."""
        return tile.kept(self._size, 0 if self._limit == 0 else MARGIN)

    def _compute(self, tiles: list[Tile], planned: _Planned) -> Image:
        """The result before, with these tiles computed again and differences added."""
        before = self._result
        if before is None:
            raise BackendError("the frame before was lost")
        begun = time.perf_counter()
        found = self._runner.run_all(planned.images)
        network_s = time.perf_counter() - begun
        if tiles:
            if self._shared:
                self._result, self._shared = before.copy(), False
                before = self._result
            self._insert(tiles, found, before)
        if planned.difference is None:
            self._shared = True
            result = before
        else:
            result = self._added(before, planned.difference)
            # exactly: the differences beside them reach into them
            self._insert(tiles, found, result)
        beside = planned.planned_s + time.perf_counter() - begun - network_s
        self._cost.note_tiles(tiles, network_s, beside)
        return result

    def _insert(self, tiles: list[Tile], found: Sequence[Image], result: Image) -> None:
        ratio = self._ratio
        for tile, image in zip(tiles, found, strict=True):
            rows, columns = self._kept(tile)
            top, bottom = (int(place * ratio) for place in rows)
            left, right = (int(place * ratio) for place in columns)
            down, across = int(tile.given_rows[0] * ratio), int(tile.given_columns[0] * ratio)
            result[top:bottom, left:right] = image[
                top - down : bottom - down, left - across : right - across
            ]

    def _added(self, image: Image, difference: Difference) -> Image:
        """uint8 (H*scale, W*scale, C) and an enlarged difference."""
        cv2 = load_cv2()
        rows, columns = image.shape[:2]
        enlarged = cv2.resize(difference, (columns, rows), interpolation=cv2.INTER_CUBIC)
        bits = self._runner.sidecar.bits
        if bits == 8:
            added: Image = cv2.add(image, enlarged.reshape(image.shape), dtype=cv2.CV_8U)
            return added.reshape(image.shape)
        samples = image.view(np.uint16)
        deep = cv2.add(samples, enlarged.reshape(samples.shape), dtype=cv2.CV_16U)
        np.minimum(deep, (1 << bits) - 1, out=deep)
        return np.asarray(deep.reshape(samples.shape).view(np.uint8))
