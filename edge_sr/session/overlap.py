"""Frames of a video through a backend that works on several at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from edge_sr.backend import Overlapping
from edge_sr.media.frame import Frame, Plane

if TYPE_CHECKING:
    from edge_sr.upscaler import Upscaler

Chroma = tuple[Plane, Plane]
T = TypeVar("T")


@dataclass(frozen=True)
class _Begun:
    frame: Frame
    chroma: Chroma | None  # upscaled while the GPU works on the luma


class FrameOverlap:
    """`submit` up to ``depth`` frames ahead of `collect`; from one thread.

    With a backend that takes one frame at a time, ``depth`` is 1 and `collect` does the work.
    """

    def __init__(self, upscaler: Upscaler) -> None:
        """Use an open upscaler; it stays the caller's to close."""
        self._upscaler = upscaler
        backend = upscaler.backend
        whole = upscaler.sidecar.width is not None or not upscaler.tile
        self._ahead = backend if isinstance(backend, Overlapping) and whole else None
        self.depth = self._ahead.slots if self._ahead else 1
        self._begun: deque[_Begun] = deque()

    def submit(self, frame: Frame) -> None:
        """Begin with a frame.

        Raises:
            FrameError: a size the model does not take.
            BackendError: the GPU failed; no frame is in flight any more.
        """
        chroma: Chroma | None = None
        if self._ahead:
            self._forgetting(lambda: self._submit(frame))
            if self._upscaler.sidecar.color == "luma":
                from edge_sr.media.chroma import resize_chroma

                height, width = frame.y.shape
                chroma = resize_chroma(frame, *self._upscaler.sidecar.output_size(width, height))
        self._begun.append(_Begun(frame, chroma))

    def _submit(self, frame: Frame) -> None:
        if self._ahead:
            self._ahead.submit(self._upscaler.network_input(frame)[None])

    def collect(self) -> Frame:
        """The result of the oldest frame; it is yours to keep.

        Raises:
            BackendError: the GPU failed; no frame is in flight any more.
        """
        if self._ahead is None:
            return self._upscaler.upscale_frame(self._begun.popleft().frame)
        result = self._forgetting(self._ahead.collect)[0]
        begun = self._begun.popleft()
        return self._upscaler.assemble(begun.frame, result.copy(), begun.chroma)

    def _forgetting(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except BaseException:
            self._begun.clear()
            raise
