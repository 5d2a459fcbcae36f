"""A sink that takes frames and keeps none: for trying and for timing."""

from __future__ import annotations

from edge_sr.media.frame import Frame
from edge_sr.media.protocols import SinkBase


class NullSink(SinkBase):
    """Counts frames."""

    def __init__(self) -> None:
        self.frames = 0
        self._size = (0, 0)

    def write(self, frame: Frame) -> None:
        """Count one frame."""
        self.frames += 1
        self._size = frame.y.shape[1], frame.y.shape[0]

    def finish(self, *, complete: bool = True) -> str:
        """What came through; nothing was written, whole or not."""
        state = "" if complete else ", stopped early"
        return f"null: {self._size[0]}x{self._size[1]}, not written{state}"
