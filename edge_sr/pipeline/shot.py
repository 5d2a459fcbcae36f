"""A frame before and after upscaling, and the base of sinks that want both."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

from edge_sr.media.frame import Frame
from edge_sr.media.protocols import Sink, SinkBase
from edge_sr.media.screen import rescale


@dataclass(frozen=True)
class Shot:
    """One frame on its way through the pipeline."""

    before: Frame
    after: Frame
    taken_s: float  # when it was captured, on the clock of time.perf_counter
    infer_s: float  # how long upscaling took
    computed: float = 1.0  # share of the frame that was computed; the rest held still

    @cached_property
    def enlarged(self) -> Frame:
        """`before` at the size of `after` by bicubic resizing, pixel over pixel; made once.

        An odd last column or row is left out.
        """
        rows, columns = self.after.y.shape
        return rescale(self.before, columns & ~1, rows & ~1)


class ShotSink(SinkBase, ABC):
    """A sink that takes each frame together with its origin, to compare them."""

    @abstractmethod
    def show(self, shot: Shot) -> None:
        """Take one frame with its origin. It may be kept: nobody writes into it any more.

        Raises:
            MediaError: it cannot be shown.
        """


AnySink = Sink | ShotSink
