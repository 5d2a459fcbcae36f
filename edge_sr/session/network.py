"""Images through a model: the layer of a session between frames and the backend.

A `Network` takes and gives uint8 (H, W, C) images: `OverlappedNetwork` on backends that work on
several at once, `DirectNetwork` on others and for images in tiles. A layer that remembers something
between frames is a `Network` around another one: it forgets in `reset`, and belongs to one session.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge_sr.backend import Backend, Overlapping, TileLayout, Tiling
from edge_sr.errors import BackendError
from edge_sr.model.sidecar import Sidecar
from edge_sr.session.tiles import (
    find_reach,
    measure_reach,
    run_tiled,
    run_windows,
    tile_side,
    window_rim,
)
from edge_sr.types import Size

logger = logging.getLogger(__name__)
Image = NDArray[np.uint8]


class Network(Protocol):
    """Images in order, up to `depth` of them at once."""

    @property
    def depth(self) -> int:
        """How many images may be in flight."""
        ...

    def submit(self, image: Image) -> None:
        """Begin with uint8 (H, W, C). Do not write into it before it is collected.

        Raises:
            FrameError, BackendError: as the backend's.
        """
        ...

    def collect(self) -> Image:
        """The oldest image in flight as uint8 (H*scale, W*scale, C); yours to keep.

        Raises:
            FrameError, BackendError: as the backend's.
        """
        ...

    def reset(self) -> None:
        """Forget what is remembered of earlier images."""
        ...

    def drop(self) -> None:
        """Discard what is in flight, without waiting."""
        ...


class ModelRunner:
    """The backend of one model, shared by its sessions, which take turns.

    Backends that work on several images return results in the order of submission, whoever
    submitted them; this class keeps the results of each session apart. A lock lets sessions run in
    threads of their own.
    """

    def __init__(self, backend: Backend, sidecar: Sidecar, *, tile: int | None = None) -> None:
        """Use an open backend.

        Args:
            tile: side of the tiles in input pixels; 0 for never, None to cut images above 4
                megapixels.
        """
        self.backend, self.sidecar, self.tile = backend, sidecar, tile
        self._overlapping = backend if isinstance(backend, Overlapping) else None
        self._tiling = backend if isinstance(backend, Tiling) else None
        self._lock = threading.Lock()
        self._order: deque[tuple[OverlappedNetwork, int]] = deque()  # owners of what is in flight
        self._shape: tuple[int, ...] = ()  # of what is in flight
        self._reach: int | None = None
        self.differences: dict[Size, float] = {}  # see `edge_sr.session.parity`

    @property
    def notices(self) -> Sequence[str]:
        """What the backend reports about the run so far, one line each."""
        return list(self.backend.notices)

    def network(self, size: Size) -> Network:
        """A layer for images of this size, for one session."""
        if self._in_windows(size):
            return DirectNetwork(self.run_windows)
        side = self._side(size)
        if self._overlapping is not None and not side:
            return OverlappedNetwork(self, self._overlapping.slots)
        return DirectNetwork(partial(self.run_tiles, side=side) if side else self.run_whole)

    def run(self, image: Image) -> Image:
        """One uint8 (H, W, C) image, whole or in tiles; the result is yours to keep."""
        size = Size.of_shape(image.shape)
        if self._in_windows(size):
            return self.run_windows(image)
        side = self._side(size)
        return self.run_tiles(image, side) if side else self.run_whole(image)

    def run_whole(self, image: Image) -> Image:
        """One image through the backend; results that are in flight go to their sessions first."""
        with self._lock:
            while self._order:
                self._take()
            result: Image = self.backend.infer(image[None])[0]
            return result

    def run_all(self, images: Sequence[Image]) -> list[Image]:
        """Images of any sizes, each as `run_whole`; a backend that can works on several at once.

        Those of one size should follow on each other. An engine takes tiles of its `layout`.
        """
        if self.layout is not None and self._tiling is not None:
            with self._lock:
                while self._order:
                    self._take()
                return self._tiling.infer_tiles(images)
        if self._overlapping is None:
            return [self.run_whole(image) for image in images]
        found: list[Image] = []
        waiting: deque[tuple[int, ...]] = deque()  # shapes of what is in flight
        backend = self._overlapping
        with self._lock:
            while self._order:
                self._take()
            for image in images:
                while waiting and (len(waiting) == backend.slots or waiting[0] != image.shape):
                    found.append(backend.collect()[0].copy())
                    waiting.popleft()
                backend.submit(image[None])
                waiting.append(image.shape)
            while waiting:
                found.append(backend.collect()[0].copy())
                waiting.popleft()
        return found

    def run_tiles(self, image: Image, side: int) -> Image:
        """One image in tiles of `side` input pixels."""
        return run_tiled(self.run_whole, image, self.sidecar.ratio, side=side, reach=self.reach)

    @property
    def takes_tiles(self) -> bool:
        """Whether parts of an image may be computed: of any size, or of the `layout`'s."""
        any_size = self.sidecar.width is None and not self.sidecar.engine
        return any_size or self.layout is not None

    @property
    def layout(self) -> TileLayout | None:
        """The tiles of one size that an engine takes; asked the first time, they are prepared."""
        return None if self._tiling is None else self._tiling.open_tiles()

    @property
    def reach(self) -> int:
        """How many input pixels away the network sees; it is asked the first time.

        Raises:
            FrameError: too far for tiles.
        """
        if self._reach is None:
            facts = self.sidecar
            self._reach = find_reach(self.run_whole, facts.channels, facts.ratio, bits=facts.bits)
        return self._reach

    def run_windows(self, image: Image) -> Image:
        """One image in overlapping tiles of the one size that the model takes."""
        facts = self.sidecar
        window = Size(*(facts.window or (0, 0)))
        if self._reach is None:
            self._reach = measure_reach(
                self.run_whole, facts.channels, facts.ratio, window, bits=facts.bits
            )
            rim = window_rim(self._reach, window)
            seams = "" if rim == self._reach else ", less than it sees: seams may show"
            logger.info(
                "%s takes %s: tiles of it, overlapping by %d%s", facts.name, window, 2 * rim, seams
            )
        return run_windows(
            self.run_whole,
            image,
            facts.ratio,
            window,
            rim=window_rim(self._reach, window),
            most=self.tile,
        )

    def submit(self, owner: OverlappedNetwork, image: Image) -> None:
        """Begin with an image on a backend that works on several."""
        backend = self._several()
        with self._lock:
            while self._order and (len(self._order) >= backend.slots or image.shape != self._shape):
                self._take()
            try:
                backend.submit(image[None])
            except BackendError:
                self._order.clear()  # the backend has discarded all of them
                raise
            self._order.append((owner, owner.generation))
            self._shape = image.shape

    def fetch(self, owner: OverlappedNetwork) -> None:
        """Collect until `owner` has a result.

        Raises:
            BackendError: the backend failed, now or in the hands of another session.
        """
        with self._lock:
            while not owner.ready:
                if (owner, owner.generation) not in self._order:
                    raise BackendError(
                        f"{self.sidecar.name}: the frame was lost when the backend failed in "
                        "another session"
                    )
                self._take()

    def _take(self) -> None:
        """Collect the oldest result and leave it with its session, if that still wants it."""
        try:
            result = self._several().collect()[0]
        except BaseException:
            self._order.clear()
            raise
        owner, generation = self._order.popleft()
        if generation == owner.generation:
            owner.ready.append(result.copy())  # the backend writes there again

    def _several(self) -> Overlapping:
        if self._overlapping is None:
            raise BackendError(f"{self.backend.name} works on one frame at a time")
        return self._overlapping

    def _in_windows(self, size: Size) -> bool:
        """Whether the model takes one size only, another one than this, and may be given tiles."""
        window = self.sidecar.window
        return window is not None and size != Size(*window) and self.tile != 0

    def _side(self, size: Size) -> int:
        whole = self.sidecar.width is not None or (self.sidecar.engine and self.tile is None)
        return 0 if whole else tile_side(self.tile, size)


class DirectNetwork:
    """One image at a time through a function; `collect` does the work."""

    depth = 1

    def __init__(self, run: Callable[[Image], Image]) -> None:
        """Use a function from uint8 (H, W, C) to uint8 (H*scale, W*scale, C)."""
        self._run = run
        self._waiting: deque[Image] = deque()

    def submit(self, image: Image) -> None:
        """As `Network.submit`."""
        self._waiting.append(image)

    def collect(self) -> Image:
        """As `Network.collect`."""
        return self._run(self._waiting.popleft())

    def reset(self) -> None:
        """Nothing is remembered."""

    def drop(self) -> None:
        """As `Network.drop`."""
        self._waiting.clear()


class OverlappedNetwork:
    """Images begun at once on a backend that works on several."""

    def __init__(self, runner: ModelRunner, depth: int) -> None:
        self.depth = depth
        self.generation = 0  # results of an earlier one are discarded
        self.ready: deque[Image] = deque()
        self._runner = runner

    def submit(self, image: Image) -> None:
        """As `Network.submit`; the image may be overwritten when this returns."""
        self._runner.submit(self, image)

    def collect(self) -> Image:
        """As `Network.collect`."""
        if not self.ready:
            self._runner.fetch(self)
        return self.ready.popleft()

    def reset(self) -> None:
        """Nothing is remembered."""

    def drop(self) -> None:
        """As `Network.drop`; what the backend still works on is discarded when it is done."""
        self.generation += 1
        self.ready.clear()
