from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from edge_sr.media.frame import YUV420, Color, Frame, PixelFormat, StreamInfo
from edge_sr.media.protocols import Sink, SinkBase, Source, SourceBase
from edge_sr.types import Size


@pytest.mark.parametrize(
    ("format_", "expected"),
    [
        (YUV420, (33, 25)),
        (PixelFormat(2, 1, 10), (33, 49)),
        (PixelFormat(1, 1), (65, 49)),
    ],
)
def test_odd_sides_of_chroma_are_rounded_up(format_: PixelFormat, expected: Size) -> None:
    assert format_.chroma_size(Size(65, 49)) == expected


def test_a_frame_names_its_planes() -> None:
    y, u, v = (np.full((4, 6), level, np.uint8) for level in (1, 2, 3))
    frame = Frame((y, u, v), 0, Fraction(1, 25))
    assert (frame.y is y, frame.u is u, frame.v is v) == (True, True, True)
    assert frame.size == Size(6, 4)
    assert frame.format == YUV420
    assert not frame.discontinuity


def test_a_source_needs_only_its_frames() -> None:
    class Short(SourceBase):
        info = StreamInfo("short", 6, 4, Fraction(1), None, None, live=False)

        def __iter__(self):
            return iter(())

    source: Source = Short()
    assert (source.state, source.reconnects, list(source.notices)) == ("running", 0, [])
    assert source.info.size == Size(6, 4)


def test_a_sink_needs_only_to_take_frames() -> None:
    class Bin(SinkBase):
        def write(self, frame: Frame) -> None:
            """Take it."""

    sink: Sink = Bin()
    sink.idle()
    assert (sink.closed, sink.message, list(sink.notices)) == (False, "", [])
    assert (sink.finish(), sink.abort()) == ("", "")


def test_untagged_video_is_converted_as_players_do() -> None:
    assert [Color().effective_matrix(rows) for rows in (576, 577)] == [6, 1]
    assert Color(matrix=9).effective_matrix(480) == 9
