"""An output of another size than the result."""

from __future__ import annotations

from collections.abc import Callable

from edge_sr.media.chroma import resize_frame
from edge_sr.media.frame import Frame
from edge_sr.media.protocols import Sink, WrappedSink
from edge_sr.types import Size


class Resized(WrappedSink):
    """Resizes each frame (cubic, antialiased) before a sink takes it."""

    def __init__(self, sink: Sink, size_for: Callable[[Size], Size]) -> None:
        """Wrap a sink.

        Args:
            size_for: the size of the output, from that of a frame.
        """
        super().__init__(sink)
        self._size_for = size_for

    def write(self, frame: Frame) -> None:
        """Resize one frame and hand it on."""
        size = self._size_for(frame.size)
        self._sink.write(frame if size == frame.size else resize_frame(frame, *size))
