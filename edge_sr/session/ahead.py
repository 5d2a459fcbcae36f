"""Frames begun before the last is done, where the model runs on a GPU that takes several."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Protocol, runtime_checkable

from edge_sr.media.frame import Frame
from edge_sr.pipeline.shot import Shot


@runtime_checkable
class Ahead(Protocol):
    """Upscales frames in order, up to ``depth`` of them at once."""

    @property
    def depth(self) -> int:
        """How many may be in flight now; it may fall to 1 to have them finished."""
        ...

    def submit(self, frame: Frame) -> None:
        """Begin with a frame. After an error no frame is in flight."""
        ...

    def collect(self) -> Frame:
        """The oldest frame in flight, upscaled. After an error no frame is in flight."""
        ...


class OneByOne:
    """A function as `Ahead`: one frame at a time."""

    depth = 1

    def __init__(self, upscale: Callable[[Frame], Frame]) -> None:
        self._upscale = upscale
        self._frames: deque[Frame] = deque()

    def submit(self, frame: Frame) -> None:
        self._frames.append(frame)

    def collect(self) -> Frame:
        return self._upscale(self._frames.popleft())


def run_ahead(
    items: Iterator[tuple[Frame, float]], ahead: Ahead, waiting: Callable[[], int]
) -> Iterator[Shot]:
    """Upscale (frame, when it was taken), in order.

    A frame is begun early only where the next one waits already: with nothing to do, the oldest
    is waited for, so that no result lies ready without being handed on. If ``items`` end with an
    error, what is in flight comes first.

    Args:
        waiting: how many items there are to come at once.
    """
    flight: deque[tuple[Frame, float, float]] = deque()
    finished = 0.0
    ended: BaseException | None = None
    while True:
        try:
            item = next(items, None)
        except Exception as error:  # noqa: BLE001 - raised again, after the frames before it
            item, ended = None, error
        if item is not None:
            while len(flight) >= ahead.depth and flight:
                yield _finish(ahead, flight, finished)
                finished = time.perf_counter()
            begun = time.perf_counter()
            ahead.submit(item[0])
            flight.append((*item, begun))
        while flight and (item is None or not waiting()):
            yield _finish(ahead, flight, finished)
            finished = time.perf_counter()
        if ended is not None:
            raise ended
        if item is None:
            return


def _finish(ahead: Ahead, flight: deque[tuple[Frame, float, float]], finished: float) -> Shot:
    """The oldest frame; its time counts from when the one before was done."""
    result = ahead.collect()
    frame, taken_s, begun = flight.popleft()
    return Shot(frame, result, taken_s, time.perf_counter() - max(begun, finished))
