"""YUV4MPEG2 has one frame rate: other times are met by repeating and dropping frames."""

from __future__ import annotations

import io
from fractions import Fraction

import pytest
from clips import frame, info

from edge_sr.media.codec.y4m import Y4mSink

MS = Fraction(1, 1000)


def written(times: list[int], *, live: bool = False) -> tuple[int, list[str]]:
    """How many frames come out for frames at these milliseconds, at 25 a second."""
    pipe = io.BytesIO()
    sink = Y4mSink(pipe, source=info(live=live))
    for number, at in enumerate(times):
        sink.write(frame(number, pts=at, time_base=MS))
    assert sink.frames == pipe.getvalue().count(b"FRAME\n")
    return sink.frames, list(sink.notices)


@pytest.mark.parametrize("start", [0, 5000])
def test_an_even_rate_passes_untouched(start: int) -> None:
    assert written([start + 40 * n for n in range(50)]) == (50, [])


def test_times_that_were_rounded_pass_untouched() -> None:
    assert written([40 * n + (-1, 0, 1)[n % 3] for n in range(50)]) == (50, [])


def test_gaps_are_filled_and_too_many_frames_dropped() -> None:
    count, notices = written([0, 40, 80, 400, 440])
    assert count == 12
    assert "7 frames were repeated and 0 dropped" in notices[0]
    count, notices = written([20 * n for n in range(50)])
    assert abs(count - 25) <= 1
    assert "variable" in notices[0]


def test_a_live_source_keeps_its_own_pace() -> None:
    assert written([0, 40, 4000, 4040], live=True) == (4, [])
