"""A frame before and after upscaling, and the sinks that want to see both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from edge_sr.media.frame import Frame


@dataclass(frozen=True)
class Shot:
    """One frame on its way through the pipeline."""

    before: Frame
    after: Frame
    taken_s: float  # when it was captured, on the clock of time.perf_counter
    infer_s: float  # how long upscaling took


@runtime_checkable
class ShotSink(Protocol):
    """A sink that compares before and after; `show` is called instead of `write`."""

    def show(self, shot: Shot) -> None:
        """Take one frame with its origin. It may be kept: nobody writes into it any more."""
        ...
