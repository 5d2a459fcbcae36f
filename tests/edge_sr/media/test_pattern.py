from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from clocks import Clock

from edge_sr.errors import UsageError
from edge_sr.media.sinks.null import NullSink
from edge_sr.media.sources.pattern import Pattern


def test_the_url_says_size_rate_and_count() -> None:
    info = Pattern.from_url("test://640x361@29.97?frames=7&live=1").info
    assert (info.width, info.height, info.frames, info.live) == (640, 361, 7, True)
    assert info.frame_rate == Fraction(2997, 100)


def test_the_defaults_are_endless_720p_at_30() -> None:
    info = Pattern.from_url("test://").info
    assert (info.width, info.height, info.frame_rate) == (1280, 720, 30)
    assert info.frames is None
    assert not info.live


def test_rates_can_be_fractions() -> None:
    assert Pattern.from_url("test://64x64@30000/1001").info.time_base == Fraction(1001, 30000)


@pytest.mark.parametrize(
    "url",
    [
        "test://64",
        "test://64x64@",
        "test://64x64@0",
        "test://64x64@1/0",
        "test://64x64?frames=x",
        "test://64x64?frames=0",
        "test://64x64?speed=2",
        "test://1x1",
        "test://99999x64",
    ],
)
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(UsageError, match=r"expected|divides by 0"):
        Pattern.from_url(url)


def test_frames_are_counted_and_deterministic() -> None:
    pattern = Pattern(65, 33, frames=5)
    first, second = list(pattern), list(Pattern(65, 33, frames=5))
    assert [frame.pts for frame in first] == [0, 1, 2, 3, 4]
    for a, b in zip(first, second, strict=True):
        assert a.y.shape == (33, 65)
        assert a.u.shape == a.v.shape == (17, 33)
        assert all(np.array_equal(getattr(a, name), getattr(b, name)) for name in "yuv")
    assert len(list(pattern)) == 5  # it can be iterated again


def test_the_picture_moves_smoothly_past_its_period() -> None:
    frames = list(itertools.islice(Pattern(96, 48), 140))
    for before, after in itertools.pairwise(frames):
        assert not np.array_equal(before.y, after.y)
        assert np.array_equal(before.y[:, 4:], after.y[:, :-4])
        assert np.array_equal(before.u[:, 2:], after.u[:, :-2])


def test_values_are_limited_range_and_planes_read_only() -> None:
    frame = next(iter(Pattern(300, 200)))
    assert frame.y.min() >= 16
    assert frame.y.max() <= 235
    assert not frame.y.flags.writeable


def test_live_frames_come_at_their_pace(clock: Clock) -> None:
    times = [clock.now for _ in Pattern(64, 48, Fraction(50), frames=6, live=True)]
    assert times == pytest.approx([times[0] + number / 50 for number in range(6)])


def test_the_null_sink_counts() -> None:
    sink = NullSink()
    for frame in Pattern(64, 48, frames=3):
        sink.write(frame)
    assert sink.frames == 3
    assert "not written" in sink.finish()
    assert sink.abort() == ""
