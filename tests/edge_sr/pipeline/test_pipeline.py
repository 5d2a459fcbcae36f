"""Reading, upscaling and writing side by side: order, drops, errors and a clean end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np
import pytest
from fakes.sessions import as_session

from edge_sr.errors import MediaError
from edge_sr.media.frame import Frame, StreamInfo
from edge_sr.pipeline.pipeline import run_pipeline


class ListSource:
    """Numbered frames, optionally failing after the last."""

    def __init__(self, count: int, *, live: bool = False, error: Exception | None = None) -> None:
        self.info = StreamInfo("list", 8, 8, Fraction(1, 25), Fraction(25), count, live)
        self.count, self.error = count, error
        self.given = 0

    def __iter__(self) -> Iterator[Frame]:
        plane = np.zeros((8, 8), np.uint8)
        for pts in range(self.count):
            self.given += 1
            yield Frame((plane, plane[:4, :4], plane[:4, :4]), pts, Fraction(1, 25))
        if self.error:
            raise self.error


class ListSink:
    """Remembers the frames' times; optionally failing at one."""

    def __init__(self, *, fail_at: int | None = None) -> None:
        self.pts: list[int] = []
        self.fail_at = fail_at

    def write(self, frame: Frame) -> None:
        if frame.pts == self.fail_at:
            raise MediaError("the disk is full")
        self.pts.append(frame.pts)


# threads of earlier tests of this process, such as a camera that never answered
OTHERS: set[threading.Thread] = set()


@pytest.fixture(autouse=True)
def _others() -> Iterator[None]:
    OTHERS.update(threading.enumerate())
    yield
    OTHERS.clear()


def stage_threads() -> list[str]:
    found = set(threading.enumerate()) - OTHERS
    return [thread.name for thread in found if thread.name.startswith("edge-sr")]


def test_a_file_loses_no_frame_and_keeps_the_order() -> None:
    sinks = [ListSink(), ListSink()]
    stats = run_pipeline(ListSource(60), as_session(), sinks)
    assert sinks[0].pts == sinks[1].pts == list(range(60))
    assert (stats.read, stats.written, stats.dropped) == (60, 60, 0)
    assert stage_threads() == []


def test_live_frames_are_dropped_when_upscaling_is_slow_and_the_newest_wins() -> None:
    class Whole(ListSource):
        """Says when all its frames were given."""

        def __iter__(self) -> Iterator[Frame]:
            yield from super().__iter__()
            all_given.set()

    def slow(frame: Frame) -> Frame:
        all_given.wait()
        return frame

    all_given = threading.Event()
    sink = ListSink()
    stats = run_pipeline(Whole(60, live=True), as_session(slow), [sink])
    assert stats.written + stats.dropped == 60
    assert sink.pts[-1] == 59
    assert len(sink.pts) <= 2  # the one that was begun first, and the newest


def test_max_frames_stops_reading_too() -> None:
    source, sink = ListSource(1000), ListSink()
    run_pipeline(source, as_session(), [sink], max_frames=5)
    assert sink.pts == [0, 1, 2, 3, 4]
    assert source.given == 5


def test_a_sources_error_comes_after_its_frames() -> None:
    sink = ListSink()
    with pytest.raises(MediaError, match="cable"):
        run_pipeline(ListSource(4, error=MediaError("cable")), as_session(), [sink])
    assert sink.pts == [0, 1, 2, 3]
    assert stage_threads() == []


@pytest.mark.parametrize("error", [MediaError("model"), ZeroDivisionError("bug")])
def test_an_error_in_upscaling_is_raised_to_the_caller(error: Exception) -> None:
    def broken(frame: Frame) -> Frame:
        raise error

    with pytest.raises(type(error), match=str(error)):
        run_pipeline(ListSource(1000), as_session(broken), [ListSink()])
    assert stage_threads() == []


def test_a_sinks_error_stops_the_other_stages() -> None:
    source = ListSource(100_000)
    with pytest.raises(MediaError, match="disk is full"):
        run_pipeline(source, as_session(), [ListSink(fail_at=3)])
    assert source.given < 20
    assert stage_threads() == []


def test_the_callers_stop_ends_the_run(finishes: Callable[[Callable[[], object]], object]) -> None:
    class Endless(ListSource):
        """Has the run stopped after its fifth frame, and goes on."""

        def __iter__(self) -> Iterator[Frame]:
            for frame in super().__iter__():
                if self.given == 6:
                    stop.set()
                yield frame

    stop, sink = threading.Event(), ListSink()
    source = Endless(10**9)
    finishes(lambda: run_pipeline(source, as_session(), [sink], stop=stop))
    assert sink.pts == list(range(len(sink.pts)))
    assert source.given < 20
    assert stage_threads() == []


def test_progress_is_called_after_each_frame() -> None:
    seen: list[int] = []
    run_pipeline(
        ListSource(5), as_session(), [ListSink()], on_frame=lambda stats: seen.append(stats.written)
    )
    assert seen == [1, 2, 3, 4, 5]
