"""Live runs: fresh frames for slow consumers, measured ages, and queues that stay short."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from clips import frame

from edge_sr.errors import MediaError
from edge_sr.media.frame import Frame
from edge_sr.media.sinks.mailbox import Mailbox
from edge_sr.media.sinks.null import NullSink
from edge_sr.media.sources.file import VideoFile
from edge_sr.media.sources.open import Paced
from edge_sr.media.sources.pattern import Pattern
from edge_sr.pipeline.pipeline import run_pipeline
from edge_sr.pipeline.queues import End, Link
from edge_sr.pipeline.shot import Shot
from edge_sr.pipeline.stats import Recent, Stats


class SlowSink(NullSink):
    """Takes its time for each frame; remembers shots instead of frames if it `shows`."""

    def __init__(self, pause_s: float, error: Exception | None = None) -> None:
        super().__init__()
        self.pause_s, self.error = pause_s, error

    def write(self, frame: Frame) -> None:
        if self.error:
            raise self.error
        time.sleep(self.pause_s)
        super().write(frame)


def test_a_slow_consumer_gets_fresh_frames_and_short_queues() -> None:
    source = Pattern(64, 48, fps=50, frames=75, live=True)
    stats = run_pipeline(source, lambda frame: frame, [SlowSink(0.1)])  # five times too slow
    assert stats.depth_max <= 2
    assert stats.dropped == pytest.approx(60, abs=4)
    median = stats.age.percentile(0.5)
    assert median is not None
    assert 0.1 <= median < 0.25  # its own 0.1 s, and at most one period of waiting
    assert stats.written + stats.dropped == 75


def test_no_frame_is_dropped_when_that_is_asked_for() -> None:
    source = Pattern(64, 48, fps=200, frames=30, live=True)
    stats = run_pipeline(source, lambda f: f, [SlowSink(0.01)], newest_wins=False)
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
        lambda f: f,
        [NullSink()],
        stop=stop,
        on_frame=lambda _stats: stop.set(),
        release=source.close,
    )
    assert not [thread for thread in threading.enumerate() if thread.name == "edge-sr read"]


def test_idle_is_called_while_nothing_comes() -> None:
    calls: list[float] = []
    source = Pattern(64, 48, fps=2, frames=2, live=True)
    run_pipeline(source, lambda f: f, [NullSink()], on_idle=lambda: calls.append(time.monotonic()))
    assert len(calls) >= 2


def test_sinks_that_compare_see_both_frames() -> None:
    class Watching(NullSink):
        def __init__(self) -> None:
            super().__init__()
            self.shots: list[Shot] = []

        def show(self, shot: Shot) -> None:
            self.shots.append(shot)

    sink = Watching()
    stats = Stats()
    source = Pattern(64, 48, frames=3)
    run_pipeline(source, lambda f: frame(f.pts, 128, 96), [sink], stats=stats)
    assert [shot.before.y.shape + shot.after.y.shape for shot in sink.shots] == [
        (48, 64, 96, 128)
    ] * 3
    assert stats.infer.count == stats.age.count == 3


def test_a_link_gives_up_when_the_run_stops() -> None:
    stop = threading.Event()
    link: Link[int] = Link(stop.is_set, size=1, newest_wins=False)
    link.put(1)
    threading.Timer(0.05, stop.set).start()
    link.put(2)  # full: returns when the run stops
    assert not link.wait_room()
    assert list(link.items()) == [1]


def test_the_end_waits_for_the_last_item() -> None:
    link: Link[int] = Link(lambda: False, size=1, newest_wins=True)
    link.put(1)
    link.put(2)
    thread = threading.Thread(target=link.put, args=[End(MediaError("cable"))])
    thread.start()
    items = link.items()
    assert next(items) == 2
    with pytest.raises(MediaError, match="cable"):
        next(items)
    thread.join()
    assert link.dropped == 1


def test_a_mailbox_never_waits_and_keeps_the_newest() -> None:
    box = Mailbox(SlowSink(0.05))
    begun = time.perf_counter()
    for number in range(20):
        box.write(frame(number))
    assert time.perf_counter() - begun < 0.04
    assert box.finish().startswith("null: 64x48")
    assert box.dropped >= 17
    assert "too slow" in box.notices[0]


def test_what_a_boxed_sink_raises_comes_out() -> None:
    box = Mailbox(SlowSink(0, MediaError("no loopback device")))
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
    times, now = Recent(), time.perf_counter()
    for index in range(11):
        times.add(now - 1 + index / 10)
    assert times.rate() == pytest.approx(10, rel=0.1)


def test_a_paced_file_takes_its_own_time(tmp_path: object) -> None:
    class Listed(Pattern):
        """Not live, 20 frames of 100 a second."""

    begun = time.perf_counter()
    frames = list(Paced(Listed(64, 48, fps=100, frames=21)))
    assert 0.2 <= time.perf_counter() - begun < 0.6
    assert len(frames) == 21
    assert VideoFile  # the same protocol
    assert isinstance(frames[0].y, np.ndarray)
