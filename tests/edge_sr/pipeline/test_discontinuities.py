"""The pipeline resets a session wherever a frame does not follow on the one before."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from clips import info
from fakes.sessions import flat, level, remembering_session

from edge_sr.errors import MediaError
from edge_sr.media.frame import Frame, StreamInfo
from edge_sr.media.protocols import SinkBase, SourceBase
from edge_sr.media.sources.pattern import Pattern
from edge_sr.media.sources.reconnect import Reconnecting
from edge_sr.pipeline.pipeline import CutDetector, Taken, run_pipeline, upscale
from edge_sr.types import Size


class Listed(SourceBase):
    """Gives frames, then ends or breaks."""

    def __init__(
        self, frames: list[Frame], *, live: bool = False, error: Exception | None = None
    ) -> None:
        self.frames, self.error = frames, error
        self.info: StreamInfo = info(16, 8, live=live)

    def __iter__(self) -> Iterator[Frame]:
        yield from self.frames
        if self.error:
            raise self.error

    def close(self) -> None:
        """Nothing to close."""


class Levels(SinkBase):
    """Keeps what was remembered for each frame."""

    def __init__(self) -> None:
        self.found: list[int] = []

    def write(self, frame: Frame) -> None:
        self.found.append(level(frame))


def near(count: int, first: int = 20) -> list[Frame]:
    """Frames of nearly one level: no cut among them."""
    return [flat(first + number, pts=number) for number in range(count)]


@pytest.mark.parametrize("slots", [1, 2])
def test_frames_that_follow_on_each_other_are_remembered(slots: int) -> None:
    sink = Levels()
    run_pipeline(Listed(near(6)), remembering_session(slots), [sink])
    assert sink.found == [0, 20, 21, 22, 23, 24]


@pytest.mark.parametrize("slots", [1, 2])
def test_a_gap_in_the_numbers_forgets(slots: int) -> None:
    numbers = (0, 1, 4, 5, 7)
    items = iter([Taken(n, flat(20 + n, pts=n), 0.0) for n in numbers])
    found = [level(shot.after) for shot in upscale(items, remembering_session(slots), lambda: 1)]
    assert found == [0, 20, 0, 24, 0]


def test_frames_dropped_by_a_live_pipeline_forget() -> None:
    """While the first frame is written, all but the newest of the others are dropped."""

    class Live(Listed):
        def __iter__(self) -> Iterator[Frame]:
            yield self.frames[0]
            writing.wait()
            yield from self.frames[1:]
            given.set()

    class Slow(Levels):
        def write(self, frame: Frame) -> None:
            writing.set()
            given.wait()
            super().write(frame)

    writing, given, sink = threading.Event(), threading.Event(), Slow()
    stats = run_pipeline(Live(near(30), live=True), remembering_session(), [sink])
    assert stats.dropped > 20
    assert sink.found[0] == 0
    assert 0 in sink.found[1:]


@pytest.mark.parametrize("slots", [1, 2])
def test_a_reconnect_forgets(slots: int) -> None:
    opened = iter(
        [
            Listed(near(3), live=True, error=MediaError("cable")),
            Listed(near(3, first=24), live=True),
        ]
    )
    source = Reconnecting(
        lambda: next(opened), max_reconnect=1, waits=lambda: itertools.repeat(0.0)
    )
    sink = Levels()
    run_pipeline(source, remembering_session(slots), [sink], newest_wins=False, max_frames=6)
    assert source.reconnects == 1
    assert sink.found == [0, 20, 21, 0, 24, 25]


@pytest.mark.parametrize("slots", [1, 2])
def test_another_size_forgets_and_waits_for_what_is_in_flight(slots: int) -> None:
    frames = [*near(2), *(flat(22 + n, Size(32, 16), pts=2 + n) for n in range(2))]
    sink = Levels()
    run_pipeline(Listed(frames), remembering_session(slots), [sink])
    assert sink.found == [0, 20, 0, 22]


def test_a_seek_that_the_source_marks_forgets() -> None:
    frames = near(4)
    frames[2] = replace(frames[2], discontinuity=True)
    sink = Levels()
    run_pipeline(Listed(frames), remembering_session(), [sink])
    assert sink.found == [0, 20, 0, 22]


def test_a_cut_forgets() -> None:
    frames = [*near(2), *(flat(200 + n, pts=2 + n) for n in range(2))]
    sink = Levels()
    run_pipeline(Listed(frames), remembering_session(), [sink])
    assert sink.found == [0, 20, 0, 200]


def test_motion_is_no_cut_and_another_scene_is_one() -> None:
    detector = CutDetector()
    assert not any(detector.is_cut(frame) for frame in Pattern(640, 360, frames=60))
    dark = np.random.default_rng(0).normal(40, 8, (360, 640)).clip(0, 255).astype(np.uint8)
    frame = flat(0, Size(640, 360))
    assert detector.is_cut(replace(frame, planes=(dark, frame.u, frame.v)))
    assert not detector.is_cut(replace(frame, planes=(np.roll(dark, 9, 1), frame.u, frame.v)))
