"""Frames that are in memory already, as a source: what the runtime path is timed on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

from edge_sr.media.frame import Frame, StreamInfo
from edge_sr.media.protocols import SourceBase


class FrameList(SourceBase):
    """Frames of one size, each given the next time stamp. Can be iterated again."""

    def __init__(self, frames: Sequence[Frame]) -> None:
        self._frames = frames
        height, width = frames[0].y.shape
        self.info = StreamInfo(
            name="memory",
            width=width,
            height=height,
            time_base=Fraction(1, 30),
            frame_rate=Fraction(30),
            frames=len(frames),
            live=False,
        )

    def __iter__(self) -> Iterator[Frame]:
        for index, frame in enumerate(self._frames):
            yield replace(frame, pts=index)
