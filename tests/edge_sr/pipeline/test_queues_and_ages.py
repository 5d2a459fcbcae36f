"""Live runs: fresh frames for slow consumers, measured ages, and queues that stay short."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from clips import frame
from clocks import HANG_S, Clock
from fakes.sessions import as_session

from edge_sr.errors import MediaError
from edge_sr.media.frame import Frame
from edge_sr.media.sinks.mailbox import Mailbox
from edge_sr.media.sinks.null import NullSink
from edge_sr.media.sources.open import Paced
from edge_sr.media.sources.pattern import Pattern
from edge_sr.pipeline.pipeline import run_pipeline
from edge_sr.pipeline.queues import End, FrameQueue
from edge_sr.pipeline.shot import Shot, ShotSink
from edge_sr.pipeline.stats import Recent, Stats


class SteppedSource:
    """A camera that gives the next `per_write` frames when a sink begins to write one."""

    def __init__(self, count: int, per_write: int) -> None:
        self.info = replace(Pattern(64, 48, frames=count).info, live=True)
        self.count, self.per_write = count, per_write
        self.given, self.allowed = 0, 1
        self.changed = threading.Condition()

    def __iter__(self) -> Iterator[Frame]:
        for number in range(self.count):
            with self.changed:
                self.changed.wait_for(lambda: self.given < self.allowed)
            yield frame(number)
            with self.changed:  # the frame was taken
                self.given += 1
                self.changed.notify_all()

    def close(self) -> None:
        """Nothing to close."""

    def step(self) -> int:
        """Give `per_write` more frames; returns how many were given when they have been taken."""
        with self.changed:
            self.allowed = min(self.allowed + self.per_write, self.count)
            self.changed.notify_all()
            self.changed.wait_for(lambda: self.given >= self.allowed)
            return self.given


class SteppingSink(NullSink):
    """Writes so slowly that `per_write` new frames come meanwhile."""

    def __init__(self, source: SteppedSource) -> None:
        super().__init__()
        self.source = source
        self.behind: list[int] = []  # frames given after the one that is written, at its start

    def write(self, frame: Frame) -> None:
        self.behind.append(self.source.given - 1 - frame.pts)
        self.source.step()
        super().write(frame)


class BlockedSink(NullSink):
    """Takes one frame and holds it until it is released."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__()
        self.error = error
        self.entered, self.released = threading.Event(), threading.Event()

    def write(self, frame: Frame) -> None:
        if self.error:
            raise self.error
        self.entered.set()
        self.released.wait()
        super().write(frame)


def test_a_slow_consumer_gets_fresh_frames_and_short_queues() -> None:
    source = SteppedSource(76, per_write=5)
    sink = SteppingSink(source)
    stats = run_pipeline(source, as_session(), [sink])
    assert stats.depth_max <= 2
    assert stats.written == sink.frames <= 76 // 5 + 2
    assert stats.written + stats.dropped == 76
    assert max(sink.behind) <= 2 * 5  # one write's frames wait, one write's frames came since
    assert stats.age.count == stats.written


def test_no_frame_is_dropped_when_that_is_asked_for() -> None:
    source = Pattern(64, 48, fps=1000, frames=30, live=True)
    stats = run_pipeline(source, as_session(), [NullSink()], newest_wins=False)
    assert (stats.written, stats.dropped) == (30, 0)


def test_a_reader_that_waits_is_freed_at_the_end() -> None:
    class Silent(Pattern):
        """One frame, then nothing until it is closed."""

        def __init__(self) -> None:
            super().__init__(64, 48, live=True)
            self.freed = threading.Event()

        def __iter__(self) -> Iterator[Frame]:
            yield frame(0)
            self.freed.wait(60)

        def close(self) -> None:
            self.freed.set()

    source, stop = Silent(), threading.Event()
    run_pipeline(
        source,
        as_session(),
        [NullSink()],
        stop=stop,
        on_frame=lambda _stats: stop.set(),
        release=source.close,
    )
    assert not [thread for thread in threading.enumerate() if thread.name == "edge-sr read"]


def test_idle_is_called_while_nothing_comes() -> None:
    class Waiting(Pattern):
        """Its second frame comes when `on_idle` was called twice."""

        def __iter__(self) -> Iterator[Frame]:
            yield frame(0)
            idle_twice.wait()
            yield frame(1)

    def on_idle() -> None:
        calls.append(None)
        if len(calls) == 2:
            idle_twice.set()

    calls: list[None] = []
    idle_twice = threading.Event()
    stats = run_pipeline(
        Waiting(64, 48, live=True), as_session(), [NullSink()], newest_wins=False, on_idle=on_idle
    )
    assert stats.written == 2


def test_sinks_that_compare_see_both_frames() -> None:
    class Watching(ShotSink):
        def __init__(self) -> None:
            self.shots: list[Shot] = []

        def show(self, shot: Shot) -> None:
            self.shots.append(shot)

    sink = Watching()
    stats = Stats()
    source = Pattern(64, 48, frames=3)
    run_pipeline(source, as_session(lambda f: frame(f.pts, 128, 96)), [sink], stats=stats)
    assert [shot.before.y.shape + shot.after.y.shape for shot in sink.shots] == [
        (48, 64, 96, 128)
    ] * 3
    assert stats.infer.count == stats.age.count == 3


def test_a_queue_gives_up_when_the_run_stops() -> None:
    stop = threading.Event()
    queue: FrameQueue[int] = FrameQueue(stop.is_set, size=1, newest_wins=False)
    queue.put(1)
    threading.Timer(0.05, stop.set).start()
    queue.put(2)  # full: returns when the run stops
    assert not queue.wait_room()
    assert list(queue.items()) == [1]


def test_the_end_waits_for_the_last_item() -> None:
    queue: FrameQueue[int] = FrameQueue(lambda: False, size=1, newest_wins=True)
    queue.put(1)
    queue.put(2)
    thread = threading.Thread(target=queue.put, args=[End(MediaError("cable"))])
    thread.start()
    items = queue.items()
    assert next(items) == 2
    with pytest.raises(MediaError, match="cable"):
        next(items)
    thread.join()
    assert queue.dropped == 1


def test_a_mailbox_never_waits_and_keeps_the_newest() -> None:
    sink = BlockedSink()
    box = Mailbox(sink)
    box.write(frame(0))
    assert sink.entered.wait(HANG_S)
    for number in range(1, 20):
        box.write(frame(number))  # would wait for ever if it waited for the sink
    assert box.dropped == 18
    sink.released.set()
    assert box.finish().startswith("null: 64x48")
    assert sink.frames == 2
    assert "too slow for 18 frames" in box.notices[0]


def test_what_a_boxed_sink_raises_comes_out() -> None:
    box = Mailbox(BlockedSink(MediaError("no loopback device")))
    box.write(frame(0))
    box._thread.join(5)
    with pytest.raises(MediaError, match="loopback"):
        box.write(frame(1))
    assert box.abort() == ""


def test_percentiles_and_rates() -> None:
    values = Recent()
    assert values.percentile(0.5) is None
    for value in range(1, 101):
        values.add(float(value))
    assert (values.percentile(0.5), values.percentile(0.99), values.last) == (50, 99, 100)


def test_the_rate_is_of_the_last_two_seconds(clock: Clock) -> None:
    times = Recent()
    for _ in range(31):
        clock.sleep(0.1)
        times.add(clock.now)
    assert times.rate() == pytest.approx(10)
    clock.sleep(1)
    assert times.rate() == pytest.approx(5, rel=0.2)
    clock.sleep(2)
    assert times.rate() == 0


def test_a_paced_file_takes_its_own_time(clock: Clock) -> None:
    times = []
    for frame_ in Paced(Pattern(64, 48, fps=100, frames=21)):  # not live
        assert isinstance(frame_.y, np.ndarray)
        times.append(clock.now)
    assert times == pytest.approx([times[0] + number / 100 for number in range(21)])
