"""An output of another size than the result."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edge_sr.media.chroma import resize_frame
from edge_sr.media.frame import Frame
from edge_sr.media.protocols import Sink
from edge_sr.types import Size


class Resized:
    """Resizes each frame (cubic, antialiased) before a sink takes it."""

    def __init__(self, sink: Sink, size_for: Callable[[Size], Size]) -> None:
        """Wrap a sink.

        Args:
            size_for: the size of the output, from that of a frame.
        """
        self._sink, self._size_for = sink, size_for

    @property
    def closed(self) -> bool:
        """The sink's."""
        return self._sink.closed

    @property
    def message(self) -> str:
        """The sink's."""
        return self._sink.message

    @property
    def notices(self) -> Sequence[str]:
        """The sink's."""
        return self._sink.notices

    def idle(self) -> None:
        """As the sink's."""
        self._sink.idle()

    def write(self, frame: Frame) -> None:
        """Resize one frame and hand it on."""
        size = self._size_for(frame.size)
        self._sink.write(frame if size == frame.size else resize_frame(frame, *size))

    def finish(self, *, complete: bool = True) -> str:
        """As the sink's."""
        return self._sink.finish(complete=complete)

    def abort(self) -> str:
        """As the sink's."""
        return self._sink.abort()
