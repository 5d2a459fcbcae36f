"""A frame before and after upscaling, and the base of sinks that want both."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from edge_sr.media.frame import Frame
from edge_sr.media.protocols import Sink, SinkBase


@dataclass(frozen=True)
class Shot:
    """One frame on its way through the pipeline."""

    before: Frame
    after: Frame
    taken_s: float  # when it was captured, on the clock of time.perf_counter
    infer_s: float  # how long upscaling took


class ShotSink(SinkBase, ABC):
    """A sink that takes each frame together with its origin, to compare them."""

    @abstractmethod
    def show(self, shot: Shot) -> None:
        """Take one frame with its origin. It may be kept: nobody writes into it any more.

        Raises:
            MediaError: it cannot be shown.
        """


AnySink = Sink | ShotSink
