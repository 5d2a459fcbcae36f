"""Frames begun before the last is done: order, no waiting results, errors."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest
from fakes.sessions import FACTS

from edge_sr.errors import BackendError, MediaError
from edge_sr.media.frame import Frame, StreamInfo
from edge_sr.media.sinks.null import NullSink
from edge_sr.pipeline.pipeline import Taken, run_pipeline, upscale
from edge_sr.session.base import Facts, Session


def numbered(pts: int) -> Frame:
    plane = np.zeros((8, 8), np.uint8)
    return Frame((plane, plane[:4, :4], plane[:4, :4]), pts, Fraction(1, 25))


class Slots(Session):
    """Remembers what was submitted and collected, optionally failing."""

    def __init__(self, depth: int, *, fail_at: int | None = None) -> None:
        super().__init__()
        self.slots, self.fail_at = depth, fail_at
        self.flight: deque[Frame] = deque()
        self.log: list[str] = []

    @property
    def depth(self) -> int:
        return self.slots

    @property
    def facts(self) -> Facts:
        return FACTS

    def reset(self) -> None:
        self.log.append("reset")

    def _begin(self, frame: Frame) -> None:
        self.flight.append(frame)
        self.log.append(f"+{frame.pts}")

    def _finish(self) -> Frame:
        frame = self.flight.popleft()
        if frame.pts == self.fail_at:
            raise BackendError("the GPU is gone")
        self.log.append(f"-{frame.pts}")
        return frame

    def _drop(self) -> None:
        self.flight.clear()


def items(count: int, error: Exception | None = None) -> Iterator[Taken]:
    for pts in range(count):
        yield Taken(pts, numbered(pts), 0.0)
    if error:
        raise error


def test_with_frames_waiting_the_slots_are_full_and_the_order_is_kept() -> None:
    slots = Slots(2)
    found = [shot.after.pts for shot in upscale(items(5), slots, lambda: 1)]
    assert found == [0, 1, 2, 3, 4]
    assert slots.log == ["+0", "+1", "-0", "+2", "-1", "+3", "-2", "+4", "-3", "-4"]


def test_with_none_waiting_every_frame_is_handed_on_at_once() -> None:
    slots = Slots(3)
    found = [shot.after.pts for shot in upscale(items(3), slots, lambda: 0)]
    assert found == [0, 1, 2]
    assert slots.log == ["+0", "-0", "+1", "-1", "+2", "-2"]


def test_a_sources_error_comes_after_what_is_in_flight() -> None:
    slots = Slots(3)
    found: list[int] = []
    shots = upscale(items(2, MediaError("cable")), slots, lambda: 1)
    with pytest.raises(MediaError, match="cable"):
        found.extend(shot.after.pts for shot in shots)
    assert found == [0, 1]


def test_a_failing_gpu_ends_it_at_once() -> None:
    slots = Slots(3, fail_at=1)
    found: list[int] = []
    shots = upscale(items(9), slots, lambda: 1)
    with pytest.raises(BackendError, match="gone"):
        found.extend(shot.after.pts for shot in shots)
    assert found == [0]


def test_a_depth_that_falls_to_one_empties_the_slots_first() -> None:
    slots = Slots(3)
    seen = []
    for shot in upscale(items(6), slots, lambda: 1):
        seen.append(shot.after.pts)
        slots.slots = 1
    assert seen == [0, 1, 2, 3, 4, 5]
    assert slots.log[3:8] == ["-0", "-1", "-2", "+3", "-3"]


def test_the_pipeline_fills_the_slots() -> None:
    class Source:
        info = StreamInfo("list", 8, 8, Fraction(1, 25), Fraction(25), 40, False)

        def __iter__(self) -> Iterator[Frame]:
            return (item.frame for item in items(40))

    slots = Slots(3)
    stats = run_pipeline(Source(), slots, [NullSink()])
    assert stats.written == 40
    assert [line for line in slots.log if line[0] == "-"] == [f"-{pts}" for pts in range(40)]
